# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.TwoDeathsTest do
  # The owner of a program and its helper are both killed, so that neither of them can clean up.
  #
  # Not async: a helper and a guard for each program are a setting of the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.Daemon

  @moduletag :tmp_dir

  # It ignores the stop signal, and starts a process that stays in its process group.
  @script "trap '' TERM; sleep 1000 & echo $$ >$PID_FILE; while :; do sleep 1000; done"
  @delay 60_000

  setup do: MuonTrap.Test.ForkServer.without()

  for kind <- [:cmd, :daemon] do
    test "nothing is left when the owner of a #{kind} is killed, and then its helper", context do
      {owner, program, marker} = start(unquote(kind), context.tmp_dir)
      helper = parent(program)
      port = port_of(helper)
      Process.exit(owner, :kill)
      # The guard has closed the port, and waits for the helper.
      wait_until(fn -> Port.info(port) == nil end)
      kill(helper, "KILL")
      wait_until(fn -> marked(marker) == [] end)
    end

    test "nothing is left when the helper of a #{kind} is killed, and then its owner", context do
      {owner, program, marker} = start(unquote(kind), context.tmp_dir)
      helper = parent(program)
      port = port_of(helper)
      # So that the owner dies before it gets the message about the helper's death.
      :erlang.suspend_process(owner)
      kill(helper, "KILL")
      wait_until(fn -> Port.info(port) == nil end)
      Process.exit(owner, :kill)
      wait_until(fn -> marked(marker) == [] end)
    end

    test "nothing is left when the helper of a #{kind} and its owner are killed at once",
         context do
      for n <- 1..20 do
        directory = Path.join(context.tmp_dir, Integer.to_string(n))
        File.mkdir!(directory)
        {owner, program, marker} = start(unquote(kind), directory)
        helper = parent(program)
        kill(helper, "KILL")
        Process.exit(owner, :kill)
        wait_until(fn -> marked(marker) == [] end)
      end
    end
  end

  test "nothing is left when a helper is killed whose owner is stuck in a function", context do
    test = self()

    logger_fun = fn _line ->
      send(test, :stuck)
      receive(do: (:never -> :ok))
    end

    file = Path.join(context.tmp_dir, "pid")
    marker = marker()
    opts = [env: [{"MARKER", marker}], logger_fun: logger_fun]
    on_exit(fn -> kill_marked(marker) end)
    script = "sleep 1000 & echo $$ >'#{file}'; echo line; wait"
    {:ok, daemon} = Daemon.start_link("sh", ["-c", script], opts)
    assert_receive :stuck
    kill(parent(await_pid(file)), "KILL")
    wait_until(fn -> marked(marker) == [] end)
    assert Process.alive?(daemon)
    Process.unlink(daemon)
    Process.exit(daemon, :kill)
  end

  # Returns the owner, the program's pid, and the marker of its processes.
  defp start(kind, directory) do
    marker = marker()
    file = Path.join(directory, "pid")
    opts = [env: [{"MARKER", marker}, {"PID_FILE", file}], delay_to_sigkill: @delay]
    on_exit(fn -> kill_marked(marker) end)
    {start_owner(kind, ["-c", @script], opts), await_pid(file), marker}
  end

  defp start_owner(:cmd, args, opts), do: spawn(fn -> MuonTrap.cmd("sh", args, opts) end)

  defp start_owner(:daemon, args, opts) do
    {:ok, daemon} = Daemon.start_link("sh", args, opts)
    Process.unlink(daemon)
    daemon
  end
end
