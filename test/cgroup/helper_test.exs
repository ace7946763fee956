# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupHelperTest do
  # Uses fake helpers. Not async: the helper is a setting of the whole BEAM.
  use ExUnit.Case, async: false

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Test.ForkServer

  @moduletag :tmp_dir

  # Behaves like a helper that is killed while it starts the program: the groups exist, a process is in
  # them, and nothing was sent to the owner.
  defp dying_helper(folder, group, then) do
    mounts = Enum.join(points(), " ")
    real = MuonTrap.muontrap_path()

    script = """
    #!/bin/sh
    [ -e '#{folder}/died' ] && exec '#{real}' "$@"
    : >'#{folder}/died'
    for d in #{mounts}; do
      mkdir $d/#{group} && dirs="$dirs $d/#{group}"
    done
    for d in $dirs; do
      for f in cpus mems; do [ -e $d/cpuset.$f ] && cat $d/../cpuset.$f >$d/cpuset.$f; done
      sh -c 'echo $$ >$0/cgroup.procs && exec setsid sleep 1000 </dev/null >/dev/null 2>&1' $d &
      until grep -q . $d/cgroup.procs; do :; done
    done 2>/dev/null
    #{then}
    """

    ForkServer.without(script(folder, "helper", script))
  end

  @tag needs(cgroups: [])
  test "a helper that dies before the program is started leaves nothing behind", %{
    tmp_dir: folder
  } do
    with_group(fn group ->
      dying_helper(folder, group, "kill -KILL $$")
      opts = options(group)
      error = assert_raise Error, fn -> MuonTrap.cmd("true", [], opts) end
      assert %{step: :helper, exit_status: 137, advice: nil} = error
      assert error.message =~ "before it started the program"
      assert directories(group) == []

      File.rm!(Path.join(folder, "died"))
      assert {:error, %Error{step: :helper}} = Daemon.start_link("true", [], opts)
      assert directories(group) == []
      assert mailbox() == []
    end)
  end

  @tag needs(cgroups: [])
  test "a helper whose owner dies first leaves nothing behind", %{tmp_dir: folder} do
    with_group(fn group ->
      file = Path.join(folder, "pid")
      dying_helper(folder, group, "echo $$ >'#{file}'; exec cat >/dev/null")
      owner = spawn(fn -> MuonTrap.cmd("true", [], options(group)) end)
      helper = await_pid(file)
      Process.exit(owner, :kill)
      # It may have ended by itself meanwhile, after its input.
      _output_and_status = System.cmd("sh", ["-c", "kill -KILL #{helper} 2>&1"])
      wait_until(fn -> directories(group) == [] end)
    end)
  end

  test "a group that cannot be removed is reported", %{tmp_dir: folder} do
    ForkServer.without(script(folder, "helper", "#!/bin/sh\nkill -KILL $$\n"))
    error = assert_raise Error, fn -> MuonTrap.cmd("true", [], cgroup_path: "unused") end
    assert error.advice =~ "its cgroup could not be removed: "
  end

  # The directories of the groups that the helper makes for these options: the one of v2, or all of v1.
  defp options(group), do: [cgroup_path: group, cgroup_controllers: controllers()]

  defp controllers, do: if(mounts()[:v2], do: [], else: v1_controllers())

  defp points do
    if point = mounts()[:v2],
      do: [point],
      else: Enum.uniq(for name <- v1_controllers(), do: mounts()[name])
  end
end
