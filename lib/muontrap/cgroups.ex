# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Cgroups do
  @moduledoc false

  # Which cgroup a program gets, and what the helper does to it while the program runs and after its
  # own death. All that depends on the version of cgroups is the helper's business.

  alias MuonTrap.Cgroups.Command
  alias MuonTrap.{Error, Options}

  @typedoc """
  The directory of the program's cgroup by controller. On cgroup v2 there is one for all, under `""`.
  """
  @type directories :: %{optional(String.t()) => Path.t()}

  @typedoc "The cgroup of one program: its path, and the flags of the helper that it was made with."
  @type t :: %{path: String.t(), flags: [binary()]}

  # Far more than killing and removing take, unless something is stuck in the kernel.
  @clean_ms 5_000
  # Reading and writing take a millisecond or two. Less than the timeout of GenServer.call/2.
  @ask_ms 4_000
  # What the BEAM and the start of the helper may need on top.
  @margin_ms 2_000

  @doc "Makes a map of directories, each given with its controllers as in `\"cpu,cpuacct\"`."
  @spec by_controller([{String.t(), Path.t()}]) :: directories()
  def by_controller(directories) do
    for {controllers, path} <- directories,
        controller <- String.split(controllers, ","),
        into: %{},
        do: {controller, path}
  end

  @doc "Decides on the path of the group: from here on, `:cgroup_path` is the one and only."
  @spec choose(Options.t()) :: Options.t()
  def choose(%{cgroup_path: nil, cgroup_base: base} = options) when base != nil do
    %{options | cgroup_path: Path.join(base, unique_name()), cgroup_base: nil}
  end

  def choose(options), do: options

  # Unlike any other on this host: BEAMs in different pid namespaces may share a cgroup hierarchy and
  # have the same pid, and one that was started anew may have that of its predecessor.
  defp unique_name do
    time = System.os_time() |> Integer.to_string(36) |> String.downcase()
    "muontrap-#{System.pid()}-#{time}-#{System.unique_integer([:positive])}"
  end

  @doc "The group of options that went through `choose/1`; `nil` without one."
  @spec new(Options.t()) :: t() | nil
  def new(%{cgroup_path: nil}), do: nil
  def new(options), do: %{path: options.cgroup_path, flags: helper_args(options)}

  @doc "The flags of the helper for the cgroup options."
  @spec helper_args(Options.t()) :: [binary()]
  def helper_args(%{cgroup_path: nil, cgroup_base: nil}), do: []

  def helper_args(options) do
    Enum.concat([
      ["--group=" <> choose(options).cgroup_path],
      Enum.map(options.cgroup_controllers, &("--controller=" <> &1)),
      Enum.map(options.cgroup_sets, fn {name, value} -> "--set=#{name}=#{value}" end)
    ])
  end

  @doc """
  Kills all that is in the group and removes it, in place of a helper that died. A group that is not
  there, or `nil`, is clean already, and so is one that another helper has by now: it emptied it first.
  All else that is not removed is an error.
  """
  @spec clean(t() | nil, helper :: binary()) :: :ok | {:error, Error.t()}
  def clean(nil, _helper), do: :ok

  def clean(group, helper) do
    args = ["--unless-in-use", "--timeout=#{@clean_ms}" | group.flags]

    case Command.run(helper, "cgroup-clean", args, @clean_ms + @margin_ms) do
      {:ok, _killed_or_in_use} -> :ok
      {:error, _error} = error -> error
    end
  end

  @doc "Reads a file of the group."
  @spec get(t(), binary(), String.t() | nil, String.t()) ::
          {:ok, String.t()} | {:error, Error.t()}
  def get(group, helper, controller, variable) do
    args = [in_group(group), controller(controller), "--", variable]

    with {:ok, %{^variable => value}} <- ask(helper, "cgroup-get", args), do: {:ok, value}
  end

  @doc "Writes to a file of the group."
  @spec set(t(), binary(), String.t() | nil, String.t(), String.t() | integer()) ::
          :ok | {:error, Error.t()}
  def set(group, helper, controller, variable, value) do
    args = [in_group(group), controller(controller), "--set=#{variable}=#{value}"]
    with {:ok, _nothing} <- ask(helper, "cgroup-set", args), do: :ok
  end

  @doc "The settings of the group, by name and as the kernel has them."
  @spec settings(t(), binary()) :: {:ok, Command.answer()} | {:error, Error.t()}
  def settings(group, helper), do: ask(helper, "cgroup-get", [in_group(group)])

  @doc "What the group has used so far, by name and as the kernel has it."
  @spec statistics(t(), binary()) :: {:ok, Command.answer()} | {:error, Error.t()}
  def statistics(group, helper), do: ask(helper, "cgroup-stat", [in_group(group)])

  defp ask(helper, command, args), do: Command.run(helper, command, List.flatten(args), @ask_ms)

  defp in_group(group), do: "--group=" <> group.path

  defp controller(nil), do: []
  defp controller(name), do: "--controller=" <> name
end
