# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Needs do
  @moduledoc """
  What a test needs of the user and the host, to be skipped without:

      @tag needs([:root, cgroups: ["memory"]])

  Known needs:

    * `:root` and `:ordinary_user`: who runs the tests
    * `:mount_namespace`: mounts can be changed for one process alone
    * `cgroups: controllers`: groups can be made, with these controllers
    * `program: name`: an executable in `PATH`
    * `file: path`: a file, or a pattern of it
  """

  alias MuonTrap.Test.{Cgroup, OS}

  @doc "A value for `@tag`, `@describetag` or `@moduletag`: skips the test when something is missing."
  @spec needs(atom() | keyword() | [atom() | {atom(), term()}]) :: keyword()
  def needs(wanted) do
    if reason = obstacle(wanted), do: [skip: reason], else: []
  end

  @doc "What is missing of it here, as the end of \"needs\"; `nil` when nothing is."
  @spec obstacle(atom() | [atom() | {atom(), term()}]) :: String.t() | nil
  def obstacle(wanted), do: wanted |> List.wrap() |> Enum.find_value(&missing/1)

  defp missing(:root), do: if(not OS.root?(), do: "needs root")
  defp missing(:ordinary_user), do: if(OS.root?(), do: "needs a user other than root")

  defp missing(:mount_namespace) do
    # unshare(1) cannot make "/" private where it is no mount point, as in a plain chroot.
    case System.cmd("unshare", ["--mount", "true"], stderr_to_stdout: true) do
      {_output, 0} -> nil
      {_output, _status} -> "needs a mount namespace"
    end
  end

  defp missing({:cgroups, controllers}) do
    mounts = Cgroup.mounts()
    absent = Enum.filter(controllers, &(Cgroup.version(&1) == nil))

    cond do
      map_size(mounts) == 0 -> "needs cgroups"
      absent != [] -> "needs cgroups with #{Enum.join(absent, ", ")}"
      not OS.root?() -> "needs root, for cgroups"
      true -> nil
    end
  end

  defp missing({:program, name}),
    do: if(System.find_executable(name) == nil, do: "needs #{name}")

  defp missing({:file, pattern}),
    do: if(Path.wildcard(pattern) == [], do: "needs #{pattern}")
end
