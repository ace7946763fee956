# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Cgroups do
  @moduledoc false

  @typedoc """
  The directory of the program's cgroup by controller. On cgroup v2 there is one for all, under `""`.
  """
  @type directories :: %{optional(String.t()) => Path.t()}

  @doc "Makes a map of directories, each given with its controllers as in `\"cpu,cpuacct\"`."
  @spec by_controller([{String.t(), Path.t()}]) :: directories()
  def by_controller(directories) do
    for {controllers, path} <- directories,
        controller <- String.split(controllers, ","),
        into: %{},
        do: {controller, path}
  end

  @doc "The flags of the helper for the cgroup options."
  @spec helper_args(MuonTrap.Options.t()) :: [binary()]
  def helper_args(%{cgroup_path: nil, cgroup_base: nil}), do: []

  def helper_args(options) do
    Enum.concat([
      ["--group=" <> group(options)],
      Enum.map(options.cgroup_controllers, &("--controller=" <> &1)),
      Enum.map(options.cgroup_sets, fn {name, value} -> "--set=#{name}=#{value}" end)
    ])
  end

  defp group(%{cgroup_path: nil, cgroup_base: base}), do: Path.join(base, unique_name())
  defp group(%{cgroup_path: path}), do: path

  # Unlike any other on this host: BEAMs in different pid namespaces may share a cgroup hierarchy and
  # have the same pid.
  defp unique_name do
    time = System.os_time() |> Integer.to_string(36) |> String.downcase()
    "muontrap-#{System.pid()}-#{time}-#{System.unique_integer([:positive])}"
  end
end
