# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupHelperTest do
  # With helpers that do not do what they should, which all who run programs at the same time
  # would get, too.
  use ExUnit.Case, async: false

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Test.ForkServer

  @moduletag :tmp_dir

  # Like a helper that is killed while it starts the program: there are groups, somebody is in,
  # and the owner has not heard from it.
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
  test "a helper that dies before the program was started leaves nothing", %{tmp_dir: folder} do
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
  test "so does one whose owner dies before it", %{tmp_dir: folder} do
    with_group(fn group ->
      file = Path.join(folder, "pid")
      dying_helper(folder, group, "echo $$ >'#{file}'; exec cat >/dev/null")
      owner = spawn(fn -> MuonTrap.cmd("true", [], options(group)) end)
      helper = await_pid(file)
      Process.exit(owner, :kill)
      kill(helper, "KILL")
      wait_until(fn -> directories(group) == [] end)
    end)
  end

  test "a group that cannot be removed is told of", %{tmp_dir: folder} do
    ForkServer.without(script(folder, "helper", "#!/bin/sh\nkill -KILL $$\n"))
    error = assert_raise Error, fn -> MuonTrap.cmd("true", [], cgroup_path: "unused") end
    assert error.advice =~ "its cgroup could not be removed: "
  end

  # Where the helper makes groups for these options: v2 does for all, and if there is none, ask
  # for all.
  defp options(group), do: [cgroup_path: group, cgroup_controllers: controllers()]

  defp controllers, do: if(mounts()[:v2], do: [], else: v1_controllers())

  defp points do
    if point = mounts()[:v2],
      do: [point],
      else: Enum.uniq(for name <- v1_controllers(), do: mounts()[name])
  end
end
