# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Needs do
  @moduledoc """
  Skips a test if the user or the host does not have what it needs:

      @tag needs([:root, cgroups: ["memory"]])

  Known needs:

    * `:root` and `:ordinary_user`: the user who runs the tests
    * `:mount_namespace`: mounts can be changed for a single process
    * `:subreaper`, `:parent_death_signal`, `:lists_of_children` and `:sight_of_reading`: the helper is not one with
      cargo's feature `portable`, which uses nothing that macOS lacks
    * `cgroups: controllers`: groups with these controllers can be created
    * `program: name`: an executable in `PATH`
    * `file: path`: a file, or a pattern of it
  """

  alias MuonTrap.Test.{Cgroup, OS}

  @doc "A value for `@tag`, `@describetag` or `@moduletag`, which skips the test if something is missing."
  @spec needs(atom() | keyword() | [atom() | {atom(), term()}]) :: keyword()
  def needs(wanted) do
    if reason = obstacle(wanted), do: [skip: reason], else: []
  end

  @doc "The reason for skipping the test, or `nil`."
  @spec obstacle(atom() | [atom() | {atom(), term()}]) :: String.t() | nil
  def obstacle(wanted), do: wanted |> List.wrap() |> Enum.find_value(&missing/1)

  defp missing(:root), do: if(not OS.root?(), do: "needs root")
  defp missing(:ordinary_user), do: if(OS.root?(), do: "needs a user other than root")

  defp missing(:mount_namespace) do
    # unshare(1) cannot make "/" private if it is no mount point, as in a plain chroot.
    case System.cmd("unshare", ["--mount", "true"], stderr_to_stdout: true) do
      {_output, 0} -> nil
      {_output, _status} -> "needs a mount namespace"
    end
  end

  defp missing(:subreaper), do: if(portable?(), do: "needs a subreaper")
  defp missing(:parent_death_signal), do: if(portable?(), do: "needs a parent-death signal")
  defp missing(:lists_of_children), do: if(portable?(), do: "needs lists of children")
  defp missing(:sight_of_reading), do: if(portable?(), do: "needs to see what was read")

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

  @doc """
  In a script, an orphan in a session of its own. Without subreapers, one that has called setsid(2) may be lost, so that
  it is in the process group of the program there.
  """
  @spec orphan() :: String.t()
  def orphan, do: if(portable?(), do: "(sleep 1000 &)", else: "(setsid sleep 1000 &)")

  defp portable? do
    {help, 0} = System.cmd(MuonTrap.muontrap_path(), ["--help"])
    String.contains?(help, "as on macOS")
  end
end
