# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupOwningTest do
  # Whichever process dies, no process in the program's cgroup is left, and the cgroup is removed.
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}

  @moduletag :capture_log
  @moduletag timeout: 900_000

  # Creates groups below its own, enters one of them if it can, and starts processes that leave their
  # session and their parent. `$GROUPS` are the directories of the program's group. When it has written
  # that it has begun, it ignores SIGTERM.
  @escape """
  trap '' TERM
  echo begun
  for d in $GROUPS; do
    [ -d $d ] || continue
    mkdir -p $d/sub/deep && echo $$ >$d/sub/deep/cgroup.procs
  done 2>/dev/null
  i=0
  while [ $i -lt $COUNT ]; do
    i=$((i + 1))
    (setsid sleep 1000 &)
  done
  : >$READY
  while :; do sleep 1000; done
  """

  defp escaping(group, count) do
    groups = mounts() |> Map.values() |> Enum.uniq() |> Enum.map_join(" ", &Path.join(&1, group))
    env = [{"GROUPS", groups}, {"COUNT", Integer.to_string(count)}, {"READY", ready(group)}]
    {"sh", ["-c", @escape], [cgroup_path: group, env: env, delay_to_sigkill: 100]}
  end

  defp ready(group), do: Path.join(System.tmp_dir!(), group)

  # Calls `ending` when the program and all its descendants are in the group.
  defp escape(group, count, start, ending) do
    {command, args, opts} = escaping(group, count)
    started = start.(command, args, opts)
    members = await_ready(group, count)
    ending.(started)
    await_removed(group)
    assert Enum.filter(members, &alive?/1) == []
  end

  # Waits until all processes of the program are running, and returns them.
  defp await_ready(group, count) do
    on_exit(fn -> File.rm(ready(group)) end)
    wait_until(fn -> File.exists?(ready(group)) end, 120_000)
    members = members(group)
    assert length(members) >= count
    assert below(group) != []
    members
  end

  defp task(command, args, opts) do
    test = self()
    pid = spawn(fn -> send(test, {self(), catch_error(MuonTrap.cmd(command, args, opts))}) end)
    %{pid: pid}
  end

  defp daemon(command, args, opts) do
    Process.flag(:trap_exit, true)
    {:ok, pid} = Daemon.start_link(command, args, opts)
    %{pid: pid, helper: Daemon.os_pid(pid), program: Daemon.program_os_pid(pid)}
  end

  describe "500 processes that have left their session and their parent are gone after" do
    @tag needs(cgroups: [])
    test "a stop" do
      with_group(fn group ->
        escape(group, 500, &daemon/3, fn %{pid: pid} ->
          GenServer.stop(pid)
          assert directories(group) == []
        end)
      end)
    end

    # The caller is held while it handles the first output, until all processes are running, so that the
    # timeout does not come earlier.
    @tag needs(cgroups: [])
    test "a timeout" do
      with_group(fn group ->
        {command, args, opts} = escaping(group, 500)
        test = self()
        held = &send(test, {:members, &1, await_ready(group, 500)})
        into = %MuonTrap.Test.Callback{fun: held}
        result = MuonTrap.run(command, args, [timeout: 10_000, into: into] ++ opts)
        assert %{exit_status: :timeout, sigkill_needed: true, cgroup_left: false} = result
        assert result.swept >= 500
        assert_received {:members, "begun\n", members}
        assert Enum.filter(members, &alive?/1) == []
        assert directories(group) == []
      end)
    end

    @tag needs(cgroups: [])
    test "the owner's death" do
      with_group(fn group ->
        escape(group, 500, &task/3, fn %{pid: pid} -> Process.exit(pid, :kill) end)
      end)
    end

    @tag needs(cgroups: [])
    test "the helper's death" do
      with_group(fn group ->
        # The fork server cleans up for as long as that and a few seconds more.
        start = &daemon(&1, &2, Keyword.put(&3, :delay_to_sigkill, 60_000))

        escape(group, 500, start, fn %{pid: pid, helper: helper} ->
          kill(helper, "KILL")
          assert_receive {:EXIT, ^pid, %Error{step: :helper, advice: nil}}
          assert directories(group) == []
        end)
      end)
    end

    @tag needs(cgroups: [])
    test "the program's own end" do
      with_group(fn group ->
        script = String.replace(@escape, ~r/^: >.*/ms, "exit 0")
        {_, _, opts} = escaping(group, 500)
        result = MuonTrap.run("sh", ["-c", script], opts)
        assert %{exit_status: 0, cgroup_left: false, survivors: 0} = result
        assert result.swept >= 500
        assert directories(group) == []
      end)
    end

    @tag :tmp_dir
    @tag needs(cgroups: [])
    test "the death of the BEAM", %{tmp_dir: folder} do
      with_group(fn group ->
        escape(group, 500, &beam(&1, &2, &3, folder), fn beam -> kill(beam, "KILL") end)
      end)
    end
  end

  # Another BEAM that runs the command, and writes its pid.
  defp beam(command, args, opts, folder) do
    file = Path.join(folder, "beam")

    code = """
    Application.put_env(:muontrap, :fork_server, #{MuonTrap.Test.ForkServer.used?()})
    File.write!(#{inspect(file)}, System.pid() <> "\\n")
    MuonTrap.cmd(#{inspect(command)}, #{inspect(args)}, #{inspect(opts)})
    """

    elixir = System.find_executable("elixir")
    beams = :muontrap |> :code.lib_dir() |> Path.join("ebin")
    spawn_link(fn -> System.cmd(elixir, ["-pa", beams, "-e", code]) end)
    await_pid(file)
  end

  describe "a helper that is killed" do
    @tag needs(cgroups: ["pids"])
    test "is an error of the command, which returns when nothing is left" do
      with_group(["pids"], fn group ->
        opts = [cgroup_path: group, cgroup: %{pids_max: 50}]
        script = "setsid sleep 1000 & sleep 1000 & kill -KILL $PPID; exec sleep 1000"
        error = assert_raise Error, fn -> MuonTrap.cmd("sh", ["-c", script], opts) end
        assert %{step: :helper, advice: nil} = error
        assert directories(group) == []
        assert mailbox() == []
        # A restart works at once.
        assert MuonTrap.cmd("true", [], opts) == {"", 0}
      end)
    end

    @tag needs(cgroups: [])
    test "together with its owner, in either order, leaves nothing behind" do
      with_group(fn group ->
        # The owner is killed first, and the helper while it waits for the program to handle SIGTERM.
        {task, helper, members} = stubborn(group)
        Process.exit(task, :kill)
        kill(helper, "KILL")
        await_removed(group)
        assert Enum.filter(members, &alive?/1) == []

        # The helper is killed first, and the owner before it can react.
        {task, helper, members} = stubborn(group)
        :erlang.suspend_process(task)
        kill(helper, "KILL")
        await_gone(helper)
        Process.exit(task, :kill)
        await_removed(group)
        assert Enum.filter(members, &alive?/1) == []
      end)
    end

    @tag needs(cgroups: [])
    test "stops its daemon, and the next daemon waits for the end of the program" do
      with_group(fn group ->
        Process.flag(:trap_exit, true)
        args = ["-c", "setsid sleep 1000 & exec sleep 1000"]
        opts = [cgroup_path: group]
        %{pid: pid, helper: helper} = daemon("sh", args, opts)
        wait_until(fn -> length(members(group)) == 2 end)
        members = members(group)
        :erlang.suspend_process(pid)
        kill(helper, "KILL")
        await_gone(helper)
        Process.exit(pid, :kill)
        %{pid: pid} = daemon("sh", args, opts)
        assert Enum.filter(members, &alive?/1) == []
        wait_until(fn -> length(members(group)) == 2 end)
        GenServer.stop(pid)
        assert directories(group) == []
      end)
    end

    defp stubborn(group, delay \\ 60_000) do
      test = self()
      into = %MuonTrap.Test.Callback{fun: &send(test, {:program, &1})}
      script = "trap '' TERM; setsid sleep 1000 & echo $$; while :; do sleep 1000; done"
      opts = [cgroup_path: group, delay_to_sigkill: delay, into: into]
      task = spawn(fn -> MuonTrap.cmd("sh", ["-c", script], opts) end)
      assert_receive {:program, program}
      wait_until(fn -> length(members(group)) == 3 end)
      {task, program |> String.trim() |> String.to_integer() |> parent(), members(group)}
    end

    @tag needs(cgroups: ["pids"])
    test "50 times is replaced 50 times under a supervisor" do
      with_group(["pids"], fn group ->
        marker = marker()
        opts = [cgroup_path: group, cgroup: %{pids_max: 50}, env: [{"MARKER", marker}]]
        args = ["-c", "setsid sleep 1000 & exec sleep 1000", marker]
        child = {Daemon, ["sh", args, opts]}
        options = [strategy: :one_for_one, max_restarts: 50, max_seconds: 600]
        {:ok, supervisor} = Supervisor.start_link([child], options)

        seen =
          for _ <- 1..50 do
            daemon = running(supervisor)
            wait_until(fn -> length(members(group)) == 2 end)
            before = members(group)
            kill(Daemon.os_pid(daemon), "KILL")
            wait_until(fn -> running(supervisor) not in [daemon, nil] end)
            assert Enum.filter(before, &alive?/1) == []
            daemon
          end

        assert length(Enum.uniq([running(supervisor) | seen])) == 51
        wait_until(fn -> length(marked(marker)) == 2 end)
        Supervisor.stop(supervisor)
        assert {marked(marker), directories(group)} == {[], []}
        # Guards end a moment after their commands.
        wait_until(fn -> helpers(marker) == [] end)
      end)
    end

    defp running(supervisor) do
      case Supervisor.which_children(supervisor) do
        [{Daemon, pid, :worker, _modules}] when is_pid(pid) -> pid
        _restarting -> nil
      end
    end
  end

  describe "a program that ends slowly" do
    @tag needs(cgroups: ["pids"])
    test "makes the next program wait for its group" do
      with_group(["pids"], fn group ->
        {task, _helper, members} = stubborn(group, 500)
        Process.exit(task, :kill)
        opts = [cgroup_path: group, cgroup: %{pids_max: 50}]
        assert MuonTrap.cmd("sh", ["-c", "sleep 1; echo done"], opts) == {"done\n", 0}
        assert Enum.filter(members, &alive?/1) == []
      end)
    end

    @tag needs(cgroups: ["pids"])
    test "shares its group with no other program" do
      with_group(["pids"], fn group ->
        {task, helper, members} = stubborn(group, 60_000)
        opts = [cgroup_path: group, cgroup_controllers: ["pids"]]
        error = assert_raise Error, fn -> MuonTrap.cmd("true", [], opts) end
        assert %{step: :cgroup, errno: :ebusy} = error
        assert error.message =~ "in use by process #{helper}"
        assert Enum.all?(members, &alive?/1)
        kill(helper, "KILL")
        Process.exit(task, :kill)
        await_removed(group)
      end)
    end
  end

  describe "a process that is no descendant of the program" do
    for controllers <- [[], ["pids"]] do
      @tag needs(cgroups: controllers)
      test "is killed with the group when the program ends, controllers #{inspect(controllers)}" do
        controllers = unquote(controllers)

        with_group(controllers, fn group ->
          opts = [cgroup_path: group, cgroup_controllers: controllers]
          {:ok, program} = MuonTrap.Process.start_link("sh", ["-c", "read _line"], opts)
          wait_until(fn -> members(group) != [] end)
          stray = Task.async(fn -> MuonTrap.cmd("sh", ["-c", enter(group)]) end)
          wait_until(fn -> length(members(group)) > 1 end)
          assert :ok = MuonTrap.Process.write(program, "\n")
          assert {:ok, %{exit_status: 0}} = MuonTrap.Process.await_exit(program)
          assert Task.await(stray, :infinity) == {"", 137}
          assert directories(group) == []
        end)
      end
    end

    defp enter(group) do
      directories = directories(group)
      Enum.map_join(directories, &"echo $$ >#{&1}/cgroup.procs && ") <> "exec sleep 1000"
    end
  end

  describe "a group that exists already" do
    @tag needs(cgroups: ["pids"])
    test "is used if it is empty, and removed afterwards" do
      with_group(["pids"], fn group ->
        opts = [cgroup_path: group, cgroup: %{pids_max: 50}]
        pids = if version("pids") == :v1, do: "pids", else: :v2
        File.mkdir!(Path.join(mounts()[pids], group))
        File.mkdir!(Path.join(mounts()[pids], group <> "/below"))
        assert MuonTrap.cmd("true", [], opts) == {"", 0}
        assert directories(group) == []
      end)
    end

    @tag needs(cgroups: ["pids"])
    test "is emptied first if it is populated" do
      with_group(["pids"], fn group ->
        # For example, the remains of an earlier run.
        pids = if version("pids") == :v1, do: "pids", else: :v2
        path = Path.join(mounts()[pids], group)
        File.mkdir!(path)
        enter = "echo $$ >#{path}/cgroup.procs && exec sleep 1000"
        stray = Task.async(fn -> MuonTrap.cmd("sh", ["-c", enter]) end)
        wait_until(fn -> members(group) != [] end)
        opts = [cgroup_path: group, cgroup_controllers: ["pids"]]
        assert {text, 0} = MuonTrap.cmd("cat", ["/proc/self/cgroup"], opts)
        assert text =~ group
        assert Task.await(stray, :infinity) == {"", 137}
      end)
    end
  end
end
