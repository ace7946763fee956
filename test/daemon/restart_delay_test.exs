# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonRestartDelayTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS
  import MuonTrap.Test.Options

  alias MuonTrap.Daemon
  alias MuonTrap.Daemon.Backoff

  # OTP reports daemons that stop with an error.
  @moduletag :capture_log

  defp start!(script, opts) do
    {:ok, daemon} = Daemon.start_link("sh", ["-c", script], opts)
    daemon
  end

  # A daemon whose program has ended, and that waits.
  defp held(script, opts) do
    daemon = start!(script, [restart_delay: 60_000] ++ opts)
    wait_until(fn -> Daemon.program_os_pid(daemon) == :error end)
    daemon
  end

  test "the option" do
    accepts(:daemon, :restart_delay, [
      {0, {0, 0, 1}},
      {2_000, {2_000, 2_000, 1}},
      {[min: 1, max: 2, factor: 1.5], {1, 2, 1.5}},
      {[min: 100], {100, 30_000, 2}}
    ])

    refuses(:daemon, :restart_delay, [-1, 1.5, "1", nil, [], :infinity, [1], [mix: 1]])
    refuses(:daemon, :restart_delay, [[min: 2, max: 1], [factor: 0.5], [min: :no], %{min: 1}])
  end

  describe "delays" do
    defp delays(restart_delay, runs) do
      key = {self(), nil, System.unique_integer()}
      options = MuonTrap.Options.new(:daemon, "echo", [], restart_delay: restart_delay)
      for {run_ms, success?} <- runs, do: Backoff.delay(key, options, run_ms, success?)
    end

    test "are the same for a number" do
      assert delays(100, List.duplicate({0, false}, 3)) == [100, 100, 100]
      assert delays(0, [{0, false}]) == [0]
    end

    test "grow up to the maximum" do
      opts = [min: 100, max: 1000, factor: 3]
      assert delays(opts, List.duplicate({1000, false}, 5)) == [100, 300, 900, 1000, 1000]
      assert delays([min: 0, max: 5], List.duplicate({0, false}, 5)) == [0, 1, 2, 4, 5]
    end

    test "begin anew after a run that lasted" do
      opts = [min: 100, max: 1000, factor: 2]
      runs = [{0, false}, {0, false}, {1001, false}, {0, false}]
      assert delays(opts, runs) == [100, 200, 100, 200]
      assert delays(opts, [{0, false}, {0, true}, {1001, true}, {0, false}]) == [100, 200, 0, 100]
    end

    test "are those of one daemon" do
      options = MuonTrap.Options.new(:daemon, "echo", [], restart_delay: [min: 1])
      other = MuonTrap.Options.new(:daemon, "echo", ["x"], restart_delay: [min: 1])
      named = MuonTrap.Options.new(:daemon, "echo", [], restart_delay: [min: 1], name: :x)
      keys = Enum.map([options, other, named], &Backoff.key/1)
      assert Enum.uniq(keys) == keys
    end
  end

  test "a program that fails at once is restarted at longer and longer intervals" do
    test = self()

    to_reason = fn status ->
      send(test, {:ended, status})
      :failed
    end

    # At most one restart in a second, which the supervisor counts as up to two.
    opts = [
      exit_status_to_reason: to_reason,
      restart_delay: [min: 2_100, max: 2_200, factor: 2]
    ]

    spec = {Daemon, ["sh", ["-c", "exit 3"], opts]}
    intensity = [strategy: :one_for_one, max_restarts: 1, max_seconds: 1]
    {:ok, supervisor} = Supervisor.start_link([spec], intensity)
    for _ <- 1..3, do: assert_receive({:ended, 3})
    assert Process.alive?(supervisor)
    Supervisor.stop(supervisor)
  end

  test "the reason is the same, whenever the daemon stops" do
    Process.flag(:trap_exit, true)

    for {script, reason} <- [{"exit 3", :error_exit_status}, {"exit 0", :normal}] do
      daemon = start!(script, restart_delay: 1)
      assert_receive {:EXIT, ^daemon, ^reason}
    end
  end

  test "delays also grow if the reason for a failed program is a shutdown" do
    Process.flag(:trap_exit, true)

    for reason <- [:shutdown, {:shutdown, :failed}] do
      script = "exit 3 # #{System.unique_integer()}"
      opts = [restart_delay: 1, exit_status_to_reason: fn 3 -> reason end]
      daemon = start!(script, opts)
      assert_receive {:EXIT, ^daemon, ^reason}, 60_000

      options = MuonTrap.Options.new(:daemon, "sh", ["-c", script], opts)
      key = fn -> Backoff.key(options) end |> Task.async() |> Task.await(:infinity)
      assert Backoff.restarted?(key)
    end
  end

  test "a shutdown cuts the delay short" do
    spec = {Daemon, ["sh", ["-c", "exit 1"], [restart_delay: 600_000]]}
    {:ok, supervisor} = Supervisor.start_link([spec], strategy: :one_for_one)
    [{Daemon, daemon, :worker, _modules}] = Supervisor.which_children(supervisor)
    wait_until(fn -> Daemon.program_os_pid(daemon) == :error end)
    assert Supervisor.stop(supervisor) == :ok
    refute Process.alive?(daemon)
  end

  test "a daemon that waits answers, and can be stopped" do
    daemon = held("echo out; exit 1", stdout: :capture)
    assert %{exit_status: 1, stdout_bytes: 4} = Daemon.info(daemon)
    assert Daemon.os_pid(daemon) == :error
    assert Daemon.statistics(daemon).output_byte_count == 4
    assert GenServer.stop(daemon) == :ok
  end

  test "a daemon that waits stops with a linked process" do
    Process.flag(:trap_exit, true)
    test = self()

    starter =
      spawn_link(fn ->
        send(test, {:held, held("exit 1", [])})
        receive(do: (:end -> exit(:over)))
      end)

    assert_receive {:held, daemon}
    ref = Process.monitor(daemon)
    send(starter, :end)
    assert_receive {:DOWN, ^ref, :process, ^daemon, :over}
  end

  test "a program that cannot be started after :wait_for is delayed, too" do
    opts = [wait_for: fn -> :ok end, restart_delay: 600_000]
    {:ok, daemon} = Daemon.start_link("/no/such/program", [], opts)
    wait_until(fn -> :sys.get_state(daemon).held != nil end)
    GenServer.stop(daemon)
  end
end
