# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.DeathsTest do
  # The death of each process, and its effect on the others. Not async: the fork server of this BEAM is killed.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error, Predecessors}
  alias MuonTrap.ForkServer.Current
  alias MuonTrap.Test.{Callback, ForkServer, SecondBeam}

  @moduletag :capture_log
  @moduletag :tmp_dir

  # A child, a child in a session of its own, and an orphan in another session. With the shell and one more
  # child, these are five processes.
  @family """
  sleep 1000 & setsid sleep 1000 & #{MuonTrap.Test.Needs.orphan()}
  trap '' TERM; echo $$; while :; do sleep 1000; done
  """
  @size 5

  setup do
    marker = marker()
    Process.flag(:trap_exit, true)
    on_exit(fn -> kill_marked(marker) end)
    %{marker: marker, opts: [env: [{"MARKER", marker}], delay_to_sigkill: 100]}
  end

  # Returns a task with a command, and the pid of its session, when all processes are running.
  defp family_task(context) do
    test = self()
    into = %Callback{fun: fn _pid -> send(test, :ready) end}
    command = fn -> MuonTrap.cmd("sh", ["-c", @family], [into: into] ++ context.opts) end
    task = Task.async(fn -> {catch_error(command.()), marked(context.marker)} end)
    assert_receive :ready
    {task, session(context.marker)}
  end

  defp session(marker) do
    wait_until(fn -> length(marked(marker)) == @size end)
    [session] = helpers(marker)
    session
  end

  defp family_in(second, context) do
    SecondBeam.spawn(second, MuonTrap, :cmd, ["sh", ["-c", @family], context.opts])
    session(context.marker)
  end

  defp await_nothing(marker), do: wait_until(fn -> marked(marker) == [] end)

  # With one kill of the shell, so that the signals are sent almost at the same time.
  defp kill_all(pids), do: kill(Enum.join(pids, " "), "KILL")

  if ForkServer.used?() do
    test "a session that is killed is an error of the command, which returns when nothing is left",
         context do
      {task, session} = family_task(context)
      kill(session, "KILL")

      assert {%Error{step: :helper, exit_status: 137, advice: nil}, []} =
               Task.await(task, :infinity)

      assert state(session) == nil
    end

    test "a session that is killed is an error of its daemon, which stops when nothing is left",
         context do
      {:ok, daemon} = Daemon.start_link("sh", ["-c", @family], context.opts)
      kill(session(context.marker), "KILL")
      assert_receive {:EXIT, ^daemon, %Error{step: :helper, exit_status: 137}}
      assert marked(context.marker) == []
    end

    test "killing a session does not affect other programs", context do
      file = Path.join(context.tmp_dir, "go_on")
      script = "setsid sleep 1000 & until [ -e '#{file}' ]; do sleep 0.01; done; echo ok"
      other = Task.async(fn -> MuonTrap.cmd("sh", ["-c", script]) end)
      {task, session} = family_task(context)
      kill(session, "KILL")
      assert {%Error{}, []} = Task.await(task, :infinity)
      File.touch!(file)
      assert Task.await(other, :infinity) == {"ok\n", 0}
    end

    test "a session that is stopped is continued" do
      for signal <- ~w(STOP TSTP TTIN TTOU) do
        script = "kill -#{signal} $PPID; echo ok"
        assert MuonTrap.cmd("sh", ["-c", script]) == {"ok\n", 0}
      end
    end

    test "nothing is left when a session is stopped and its owner is killed", context do
      {task, session} = family_task(context)
      Process.unlink(task.pid)
      kill(session, "STOP")
      Process.exit(task.pid, :kill)
      await_nothing(context.marker)
      wait_until(fn -> state(session) == nil end)
    end

    test "the fork server is killed: programs go on, and new ones are started", context do
      {task, session} = family_task(context)
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], context.opts)
      server = ForkServer.os_pid()
      kill(server, "KILL")
      wait_until(fn -> ForkServer.os_pid() != server end)
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
      assert alive?(session) and alive?(Daemon.program_os_pid(daemon))
      assert length(marked(context.marker)) == @size + 1
      sessions = [session, Daemon.os_pid(daemon)]
      :ok = GenServer.stop(daemon)
      Process.unlink(task.pid)
      Process.exit(task.pid, :kill)
      await_nothing(context.marker)
      wait_until(fn -> not Enum.any?(sessions, &alive?/1) end)
    end

    test "the fork server is killed repeatedly: all commands run exactly once, to completion",
         context do
      file = Path.join(context.tmp_dir, "runs")
      script = "echo run >>'#{file}'; seq 1 20000"
      numbers = Enum.map_join(1..20_000, &"#{&1}\n")

      for _ <- 1..20 do
        tasks = for _ <- 1..5, do: Task.async(fn -> MuonTrap.cmd("sh", ["-c", script]) end)
        server = ForkServer.os_pid()
        kill(server, "KILL")
        # kill(2) returns before the process is gone, and the next round would kill it again.
        wait_until(fn -> ForkServer.os_pid() != server end)
        assert Task.await_many(tasks, :infinity) |> Enum.uniq() == [{numbers, 0}]
      end

      assert File.read!(file) == String.duplicate("run\n", 100)
    end

    test "a daemon that is killed after its fork server leaves no entry behind", context do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], context.opts)
      server = ForkServer.os_pid()
      kill(server, "KILL")
      wait_until(fn -> ForkServer.os_pid() != server end)
      assert daemon in owners()
      Process.exit(daemon, :kill)
      wait_until(fn -> daemon not in owners() end)
      assert marked(context.marker) == []
    end

    test "daemons that are killed as soon as they are entered leave no entry behind", context do
      assert :erlang.trace_pattern({Predecessors, :enter, 4}, [{:_, [], [{:return_trace}]}]) == 1
      :erlang.trace(:new_processes, true, [:call])

      on_exit(fn ->
        :erlang.trace(:all, false, [:all])
        :erlang.trace_pattern({Predecessors, :enter, 4}, false)
      end)

      daemons =
        for n <- 1..50 do
          spawn(fn -> Daemon.start_link("sleep", ["1000.#{n}"], context.opts) end)
          assert_receive {:trace, daemon, :return_from, _enter, {:ok, _entry}}, 60_000
          Process.exit(daemon, :kill)
          daemon
        end

      wait_until(fn -> Enum.all?(daemons, &(&1 not in owners())) end)
      assert marked(context.marker) == []
    end

    defp owners, do: for({_connection, owner} <- Predecessors.connections(), do: owner)

    test "a daemon's successor waits for a program whose fork server was killed", context do
      opts = [delay_to_sigkill: 300, env: [{"MARKER", context.marker}]]
      args = ["-c", "trap '' TERM; while :; do sleep 0.01; done # #{context.marker}"]
      {:ok, daemon} = Daemon.start_link("sh", args, opts)
      program = Daemon.program_os_pid(daemon)
      server = ForkServer.os_pid()
      kill(server, "KILL")
      wait_until(fn -> ForkServer.os_pid() != server end)
      Process.exit(daemon, :kill)
      {:ok, successor} = Daemon.start_link("sh", args, opts)
      refute alive?(program)
      GenServer.stop(successor)
    end

    test "the fork server is stopped: a command gets an error, and the next one runs", context do
      server = ForkServer.stop()
      error = catch_error(MuonTrap.cmd("sh", ["-c", @family], context.opts))
      assert %Error{step: :helper} = error
      assert Exception.message(error) =~ "does not answer"
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
      wait_until(fn -> not alive?(server) end)
      assert marked(context.marker) == []
    end

    test "the fork server is stopped: waiting for the end of a session does not block" do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
      ForkServer.stop()
      assert MuonTrap.cmd("sleep", ["1000"], timeout: 100) == {"", :timeout}
      ForkServer.stop()
      assert GenServer.stop(daemon, :normal, 60_000) == :ok
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
    end

    # It is checked after two seconds, for two seconds.
    test "the fork server is stopped: the timeouts of commands and streams hold" do
      ForkServer.stop()
      assert_timeouts([300, 2_500])
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
    end

    test "the next fork server does not become ready: the timeouts of commands and streams hold",
         context do
      MuonTrap.cmd("true", [])
      pid_file = Path.join(context.tmp_dir, "pid")
      ForkServer.use_helper(silent_helper(context.tmp_dir, pid_file, "exec cat <&3 >/dev/null"))
      kill(ForkServer.os_pid(), "KILL")
      wait_until(fn -> Current.get() == nil end)
      assert_timeouts([100])
      kill(await_pid(pid_file), "KILL")
      wait_until(fn -> :sys.get_state(MuonTrap.ForkServer.Server, :infinity).port == nil end)
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
    end

    # Also when a fork server starts the program nevertheless, since it was not stopped, or replaced, in time.
    defp assert_timeouts(timeouts) do
      tasks =
        for timeout <- timeouts, function <- [:cmd, :run, :stream] do
          Task.async(fn -> timed_out(function, "sleep", ["1000"], timeout: timeout) end)
        end

      assert Task.await_many(tasks, :infinity) |> Enum.uniq() == [true]
    end

    defp timed_out(:cmd, command, args, opts),
      do: MuonTrap.cmd(command, args, opts) == {"", :timeout}

    defp timed_out(:run, command, args, opts),
      do: match?(%{output: "", exit_status: :timeout}, MuonTrap.run(command, args, opts))

    defp timed_out(:stream, command, args, opts),
      do: Enum.to_list(MuonTrap.stream(command, args, opts)) == [exit: :timeout]

    test "a stopped fork server is sent more than its pipe holds" do
      name = "MUONTRAP_" <> marker()
      on_exit(fn -> Enum.each(1..5, &System.delete_env("#{name}_#{&1}")) end)
      ForkServer.stop()
      for n <- 1..5, do: System.put_env("#{name}_#{n}", String.duplicate("x", 100_000))
      command = Task.async(fn -> catch_error(MuonTrap.cmd("true", [])) end)
      assert %Error{step: :helper} = Task.await(command, :infinity)
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
    end

    test "MuonTrap.ForkServer.Server is killed", context do
      {task, session} = family_task(context)
      server = ForkServer.os_pid()
      killed = Process.whereis(MuonTrap.ForkServer.Server)
      Process.exit(killed, :kill)
      wait_until(fn -> Process.whereis(MuonTrap.ForkServer.Server) not in [nil, killed] end)
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
      assert ForkServer.os_pid() != server
      assert alive?(session)
      kill(session, "KILL")

      # The fork server of the session sweeps what the session leaves behind, and then exits.
      assert {%Error{step: :helper}, _left} = Task.await(task, :infinity)
      await_nothing(context.marker)
      wait_until(fn -> not alive?(server) end)
    end

    test "the BEAM and the fork server are killed at once", context do
      second = SecondBeam.start("of-" <> marker())
      session = family_in(second, context)
      server = SecondBeam.call(second, ForkServer, :os_pid, [])
      kill_all([second.os_pid, server])
      await_nothing(context.marker)
      wait_until(fn -> not alive?(session) end)
    end

    test "the BEAM and a session are killed at once", context do
      second = SecondBeam.start("of-" <> marker())
      session = family_in(second, context)
      server = SecondBeam.call(second, ForkServer, :os_pid, [])
      kill_all([second.os_pid, session])
      await_nothing(context.marker)
      wait_until(fn -> not alive?(server) end)
    end

    @tag MuonTrap.Test.Needs.needs(:parent_death_signal)
    test "the fork server is stopped, and the BEAM is killed", context do
      for program? <- [true, false] do
        second = SecondBeam.start("of-" <> marker())
        session = if program?, do: family_in(second, context)
        server = SecondBeam.call(second, ForkServer, :os_pid, [])
        kill(server, "STOP")
        SecondBeam.kill(second)
        wait_until(fn -> not alive?(server) end)
        await_nothing(context.marker)
        if program?, do: wait_until(fn -> not alive?(session) end)
      end
    end

    test "a session is stopped, and the BEAM is killed", context do
      second = SecondBeam.start("of-" <> marker())
      session = family_in(second, context)
      server = SecondBeam.call(second, ForkServer, :os_pid, [])
      kill(session, "STOP")
      SecondBeam.kill(second)
      await_nothing(context.marker)
      wait_until(fn -> not alive?(server) end)
    end
  end
end
