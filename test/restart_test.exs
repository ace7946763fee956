# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Each copy of a program takes a lock (flock(2)), which it and all its children hold until the last of them
# has exited, since they inherit the open file. A copy that does not get the lock at once overlaps with
# another one, and reports this. So no overlap can be missed.
#
# The slow program gets enough time to end, and the program that ignores signals gets none.
for {name, on_sigterm, delay} <- [
      {SlowProgram, "sleep 0.3; exit 0", 20_000},
      {DeafProgram, "", 50}
    ] do
  defmodule Module.concat(MuonTrap.RestartTest, name) do
    use ExUnit.Case, async: true

    import MuonTrap.Test.OS

    alias MuonTrap.Daemon

    @moduletag :tmp_dir
    # OTP reports daemons that stop with an error.
    @moduletag :capture_log

    @on_sigterm on_sigterm
    @delay delay
    @restarts 20

    test "restart_child", %{tmp_dir: directory} do
      restart(directory, fn supervisor, _daemon ->
        :ok = Supervisor.terminate_child(supervisor, Daemon)
        {:ok, _daemon} = Supervisor.restart_child(supervisor, Daemon)
      end)
    end

    test "the program is killed", %{tmp_dir: directory} do
      restart(directory, fn _, daemon -> kill(Daemon.program_os_pid(daemon), "KILL") end)
    end

    test "the helper is killed", %{tmp_dir: directory} do
      restart(directory, fn _, daemon -> kill(Daemon.os_pid(daemon), "KILL") end)
    end

    test "the daemon is killed", %{tmp_dir: directory} do
      restart(directory, fn _, daemon -> Process.exit(daemon, :kill) end)
    end

    test "the daemon and its helper are killed", %{tmp_dir: directory} do
      restart(directory, fn _, daemon ->
        kill = "kill -s KILL #{Daemon.os_pid(daemon)}"
        Process.exit(daemon, :kill)
        # It may have exited already.
        System.cmd("sh", ["-c", kill], stderr_to_stdout: true)
      end)
    end

    defp restart(directory, how) do
      {:ok, supervisor} = supervise(directory)
      await_copies(directory, 1)

      for n <- 1..@restarts do
        [{Daemon, daemon, :worker, _modules}] = Supervisor.which_children(supervisor)
        how.(supervisor, daemon)
        await_copies(directory, n + 1)
      end

      Supervisor.stop(supervisor)
      assert copies(directory) == List.duplicate("alone", @restarts + 1)
    end

    defp supervise(directory) do
      script = """
      trap '#{@on_sigterm}' TERM
      exec 9>>lock
      flock -n 9 && echo alone >>log || echo overlap >>log
      while :; do sleep 1000 & wait; done
      """

      opts = [cd: directory, delay_to_sigkill: @delay]
      # The directory distinguishes the daemons with this script.
      spec = {Daemon, ["sh", ["-c", script, directory], opts]}
      Supervisor.start_link([spec], strategy: :one_for_one, max_restarts: 1000)
    end

    defp await_copies(directory, count) do
      wait_until(fn -> length(copies(directory)) >= count end)
    end

    defp copies(directory) do
      case File.read(Path.join(directory, "log")) do
        {:ok, log} -> String.split(log, "\n", trim: true)
        {:error, :enoent} -> []
      end
    end
  end
end

defmodule MuonTrap.RestartTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  test "when the helper is killed, incomplete output is not returned as if it were complete" do
    for run <- [&MuonTrap.cmd/3, &MuonTrap.run/3] do
      marker = marker()
      test = self()
      into = %MuonTrap.Test.Callback{fun: fn _chunk -> send(test, {:output, marker}) end}
      opts = [into: into, env: [{"MARKER", marker}]]
      args = ["-c", "sleep 1000 & exec yes", marker]
      command = fn -> catch_error(run.("sh", args, opts)) end
      task = Task.async(fn -> {command.(), marked(marker)} end)
      assert_receive {:output, ^marker}
      [helper] = helpers(marker)
      kill(helper, "KILL")
      assert {%MuonTrap.Error{step: :helper}, []} = Task.await(task, :infinity)
    end
  end
end
