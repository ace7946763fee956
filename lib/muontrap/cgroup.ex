# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Cgroup do
  @moduledoc false

  # Chooses the cgroup of a program, and has the helper read, change and remove it. Nothing here
  # depends on the version of cgroups; the helper knows both.

  alias MuonTrap.{Error, Options}
  alias MuonTrap.Session.{Request, Start}

  @typedoc "The cgroup of one program: its path, and the fields of START that it was made with."
  @type t :: %{path: String.t(), fields: [{Start.field_name(), binary()}]}

  # Killing and removing take much less, unless a process is stuck in the kernel.
  @clean_ms 5_000
  # Reading and writing take a millisecond or two. This is less than the timeout of GenServer.call/2.
  @ask_ms 4_000
  # For starting a session, in addition to the work itself.
  @margin_ms 2_000

  @doc "Chooses a new group below `:cgroup_base`, if there is one, as `:cgroup_path`."
  @spec choose(Options.t()) :: Options.t()
  def choose(%{cgroup_path: nil, cgroup_base: base} = options) when base != nil do
    %{options | cgroup_path: below(base, unique_name()), cgroup_base: nil}
  end

  def choose(options), do: options

  defp below("/", name), do: "/" <> name
  defp below(base, name), do: base <> "/" <> name

  # The name must be unique on the host. BEAMs in different pid namespaces may have the same pid and
  # share a cgroup hierarchy, and a restarted BEAM may have the pid of the previous one.
  defp unique_name do
    time = System.os_time() |> Integer.to_string(36) |> String.downcase(:ascii)
    "muontrap-#{System.pid()}-#{time}-#{System.unique_integer([:positive])}"
  end

  @doc "The cgroup in options that `choose/1` has returned, or `nil`."
  @spec new(Options.t()) :: t() | nil
  def new(%{cgroup_path: nil}), do: nil

  def new(options) do
    fields =
      [in_group(options.cgroup_path)] ++
        Enum.map(options.cgroup_controllers, &{:cgroup_controller, &1}) ++
        Enum.map(options.cgroup_sets, fn {name, value} -> {:cgroup_set, "#{name}=#{value}"} end)

    %{path: options.cgroup_path, fields: fields}
  end

  @doc """
  Kills all processes in the group and removes it, after the death of the session that had it. There is
  nothing to do for `nil`, for a group that does not exist, and for one that another session has taken
  over, since that has emptied it first. Any other group that is not removed is an error.
  """
  @spec clean(t() | nil) :: :ok | {:error, Error.t()}
  def clean(nil), do: :ok

  def clean(group) do
    fields = group.fields ++ [timeout: @clean_ms]

    case Request.run(:clean, fields, @clean_ms + @margin_ms) do
      {:ok, _killed_or_in_use} -> :ok
      {:error, _error} = error -> error
    end
  end

  @doc "Reads a file of the group."
  @spec get(t(), String.t() | nil, String.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def get(group, controller, variable) do
    fields = [in_group(group.path) | controller(controller)] ++ [cgroup_file: variable]
    with {:ok, %{^variable => value}} <- Request.run(:get, fields, @ask_ms), do: {:ok, value}
  end

  @doc "Writes to a file of the group."
  @spec set(t(), String.t() | nil, String.t(), String.t() | integer()) ::
          :ok | {:error, Error.t()}
  def set(group, controller, variable, value) do
    fields =
      [in_group(group.path) | controller(controller)] ++ [cgroup_set: "#{variable}=#{value}"]

    with {:ok, _nothing} <- Request.run(:set, fields, @ask_ms), do: :ok
  end

  @doc "The settings of the group, by file name, in the format of the kernel."
  @spec settings(t()) :: {:ok, Request.answer()} | {:error, Error.t()}
  def settings(group), do: Request.run(:config, [in_group(group.path)], @ask_ms)

  @doc "The resources that the group has used, by file name, in the format of the kernel."
  @spec statistics(t()) :: {:ok, Request.answer()} | {:error, Error.t()}
  def statistics(group), do: Request.run(:statistics, [in_group(group.path)], @ask_ms)

  defp in_group(path), do: {:cgroup_path, path}

  defp controller(nil), do: []
  defp controller(name), do: [cgroup_controller: name]
end
