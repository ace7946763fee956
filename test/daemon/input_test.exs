# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonInputTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Daemon

  @moduletag :capture_log

  defp start!(command, args, opts \\ []) do
    test = self()
    Process.flag(:trap_exit, true)
    opts = [logger_fun: fn line -> send(test, {:line, line}) end] ++ opts
    {:ok, daemon} = Daemon.start_link(command, args, opts)
    daemon
  end

  test "a daemon writes to its program, and closes its stdin" do
    daemon = start!("cat", [])
    assert Daemon.write(daemon, ["a", ?\n]) == :ok
    assert_receive {:line, "a"}
    assert Daemon.write(daemon, "b") == :ok
    assert Daemon.close_input(daemon) == :ok
    assert_receive {:line, "b"}
    assert_receive {:EXIT, ^daemon, :normal}
  end

  test "writing blocks while the program does not read, and ends with it" do
    daemon = start!("sleep", ["1000"])
    task = Task.async(fn -> Daemon.write(daemon, :binary.copy("x", 1_000_000)) end)
    wait_until(fn -> Daemon.info(daemon).input_bytes > 0 end)
    assert Daemon.write(daemon, "x", 0) == {:error, :timeout}
    assert Daemon.signal(daemon, :sigint) == :ok
    assert Task.await(task, :infinity) == {:error, :closed}
    assert_receive {:EXIT, ^daemon, :error_exit_status}
  end

  test "writing is refused if stdin is no pipe" do
    daemon = start!("sleep", ["1000"], input: :null)
    assert Daemon.write(daemon, "x") == {:error, :closed}
    GenServer.stop(daemon)
  end

  test "writing waits for :wait_for, signals do not" do
    test = self()

    wait_for = fn ->
      send(test, {:waiter, self()})
      receive do: (:go -> :ok)
    end

    daemon = start!("cat", [], wait_for: wait_for)
    assert_receive {:waiter, waiter}
    assert Daemon.signal(daemon, 1) == {:error, :not_started}
    assert %{os_pid: nil, program_os_pid: nil, uptime_ms: 0} = Daemon.info(daemon)
    task = Task.async(fn -> Daemon.write(daemon, "early\n") end)
    refute Task.yield(task, 0)
    send(waiter, :go)
    assert Task.await(task, :infinity) == :ok
    assert_receive {:line, "early"}
    GenServer.stop(daemon)
  end

  test "there is no program while the daemon holds its exit back" do
    daemon = start!("sh", ["-c", "exit 3"], restart_delay: 60_000)
    wait_until(fn -> Daemon.info(daemon).exit_status == 3 end)
    assert Daemon.signal(daemon, :sigterm) == {:error, :exited}
    assert Daemon.write(daemon, "x") == {:error, :closed}
    GenServer.stop(daemon)
  end

  test "there never was a program for writes, and the daemon holds its exit back" do
    for end_waiter <- [&send(&1, :go), &Process.exit(&1, :kill)] do
      test = self()

      wait_for = fn ->
        send(test, {:waiter, self()})
        receive do: (:go -> :ok)
      end

      daemon = start!("/no/such/program", [], wait_for: wait_for, restart_delay: 60_000)
      assert_receive {:waiter, waiter}
      task = Task.async(fn -> Daemon.write(daemon, "early") end)
      wait_until(fn -> not :queue.is_empty(:sys.get_state(daemon).input.unsent) end)
      end_waiter.(waiter)
      assert Task.await(task, :infinity) == {:error, :closed}
      assert Daemon.write(daemon, "late", 10_000) == {:error, :closed}
      GenServer.stop(daemon)
    end
  end

  test "an invalid timeout raises in the caller" do
    daemon = start!("cat", [])

    for bad <- [nil, -1, 1.5, 0x1_0000_0000],
        do: assert_raise(ArgumentError, ~r/timeout/, fn -> Daemon.write(daemon, "x", bad) end)

    assert Daemon.write(daemon, "x") == :ok
    GenServer.stop(daemon)
  end

  test "closing the stdin of a daemon that has ended exits as writing does" do
    daemon = start!("cat", [])
    GenServer.stop(daemon)
    assert {:noproc, {Daemon, :write, [^daemon]}} = catch_exit(Daemon.write(daemon, "x"))
    assert {:noproc, {Daemon, :close_input, [^daemon]}} = catch_exit(Daemon.close_input(daemon))
  end

  test "signals reach the program by name and number" do
    script = "trap 'echo hup' HUP; trap 'echo usr2' USR2; echo on; while :; do sleep 0.01; done"
    daemon = start!("sh", ["-c", script])
    assert_receive {:line, "on"}
    assert Daemon.signal(daemon, 1) == :ok
    assert_receive {:line, "hup"}
    assert Daemon.signal(daemon, "SIGUSR2") == :ok
    assert_receive {:line, "usr2"}
    assert_raise ArgumentError, fn -> Daemon.signal(daemon, :sigfoo) end
    GenServer.stop(daemon)
  end

  test "info/1 has what MuonTrap.Process.info/1 has" do
    daemon = start!("cat", [], env: [{"SECRET", "hunter2"}])
    Daemon.write(daemon, "four\n")
    assert_receive {:line, "four"}
    info = Daemon.info(daemon)
    assert %{input_bytes: 5, stdout_bytes: 5, stderr_bytes: 0, exit_status: nil} = info
    assert info.program_os_pid == Daemon.program_os_pid(daemon)
    {:ok, handle} = MuonTrap.Process.start_link("cat", [])
    assert Map.keys(info) == Map.keys(MuonTrap.Process.info(handle))
    refute inspect(info) =~ "hunter2"
    GenServer.stop(daemon)
  end

  test "what is written is in no report" do
    daemon = start!("cat", [])
    :sys.suspend(daemon)
    {writer, ref} = spawn_monitor(fn -> Daemon.write(daemon, "hunter2") end)
    wait_until(fn -> Process.info(daemon, :message_queue_len) != {:message_queue_len, 0} end)
    refute inspect(:sys.get_status(daemon), limit: :infinity) =~ "hunter2"
    Process.exit(daemon, :kill)
    assert_receive {:DOWN, ^ref, :process, ^writer, reason}
    refute inspect(reason) =~ "hunter2"
  end
end
