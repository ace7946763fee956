# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonWatchdogTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.Options
  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error, Info}
  alias MuonTrap.Daemon.Watchdog
  alias MuonTrap.Test.Notifier

  # OTP reports daemons that stop with an error.
  @moduletag :capture_log

  defp failed(command, args, opts) do
    Process.flag(:trap_exit, true)
    marker = marker()
    {:ok, daemon} = Daemon.start_link(command, args, [env: [{"MARKER", marker}]] ++ opts)
    if opts[:ready] == :notify, do: :ok = Daemon.write(daemon, "READY=1\n")
    assert_receive {:EXIT, ^daemon, %Error{step: :watchdog} = error}, 60_000
    assert marked(marker) == []
    Exception.message(error)
  end

  test "the option" do
    accepts(:daemon, :watchdog, [{1, 1}])
    refuses(:daemon, :watchdog, [0, nil, :infinity, "1"])
    assert valid(:daemon, watchdog: 1).stdout == :capture
    assert valid(:daemon, watchdog: 1, ready: :notify).stdout == :discard

    assert_raise ArgumentError, ~r/cannot use :watchdog and "stdout: :discard"/, fn ->
      valid(:daemon, watchdog: 1, stdout: :discard)
    end
  end

  test "a program that writes nothing is stopped" do
    assert failed("sleep", ["1000"], watchdog: 50) ==
             "sleep was stopped by its watchdog: there was no output for 50 ms"
  end

  test "a program that sends nothing is stopped" do
    assert failed("perl", Notifier.notify(), ready: :notify, watchdog: 50) ==
             "perl was stopped by its watchdog: there was no WATCHDOG=1 and no output for 50 ms"
  end

  test "a program that stops writing is stopped" do
    script = "for i in 1 2 3; do echo a; sleep 0.1; done; exec sleep 1000"
    assert failed("sh", ["-c", script], watchdog: 2000) =~ "no output for 2000 ms"
  end

  test "a program may ask for it" do
    Process.flag(:trap_exit, true)
    opts = [ready: :notify, watchdog: 600_000]
    {:ok, daemon} = Daemon.start_link("perl", Notifier.notify(), opts)
    :ok = Daemon.write(daemon, "WATCHDOG=trigger\n")
    assert_receive {:EXIT, ^daemon, %Error{step: :watchdog} = error}, 60_000
    assert Exception.message(error) =~ "it has sent WATCHDOG=trigger"
  end

  test "output and WATCHDOG=1 are signs of life" do
    for {opts, text} <- [
          {[log_output: :debug], "a\n"},
          {[ready: :notify], "READY=1;WATCHDOG=1\n"}
        ] do
      opts = [watchdog: 600_000] ++ opts
      {command, args} = if opts[:ready], do: {"perl", Notifier.notify()}, else: {"cat", []}
      {:ok, daemon} = Daemon.start_link(command, args, opts)
      :ok = Daemon.write(daemon, text)
      wait_until(fn -> :sys.get_state(daemon).watchdog.timer != nil end)
      age(daemon)
      :ok = Daemon.write(daemon, text)
      wait_until(fn -> :sys.get_state(daemon).watchdog.last > Info.now() - 600_000 end)
      GenServer.stop(daemon)
    end
  end

  # As if the last sign of life had come long ago.
  defp age(daemon),
    do: :sys.replace_state(daemon, &put_in(&1.watchdog.last, Info.now() - 900_000))

  test "a slow function of the user is no fault of the program" do
    me = self()

    slow = fn line ->
      send(me, {:line, line})
      if line == "slow", do: receive(do: (:go_on -> :ok))
    end

    {:ok, daemon} = Daemon.start_link("cat", [], watchdog: 300_000, logger_fun: slow)
    timer = :sys.get_state(daemon).watchdog.timer
    writer = Task.async(fn -> Daemon.write(daemon, "slow\n") end)
    assert_receive {:line, "slow"}, 60_000
    # As if the time had been over meanwhile.
    send(daemon, {:timeout, timer, :health})
    send(daemon, :go_on)
    assert Task.await(writer, 60_000) == :ok
    assert Daemon.status(daemon).ready
    GenServer.stop(daemon)
  end

  test "signs of life that come with the first timer, after a pause of the BEAM, count" do
    silent = %Watchdog{ms: 600_000, last: Info.now() - 900_000}
    second = Watchdog.expired(silent)
    assert %Watchdog{second?: true} = second
    assert Watchdog.expired(second) == :silent
    assert %Watchdog{second?: false} = alive = second |> Watchdog.alive() |> Watchdog.expired()
    assert %Watchdog{second?: true} = Watchdog.expired(%{alive | last: Info.now() - 900_000})
  end

  test "it begins when the program is ready" do
    opts = [watchdog: 50, ready: {:line, ~r/ready/}, input: :open]
    Process.flag(:trap_exit, true)
    {:ok, daemon} = Daemon.start_link("cat", [], opts)
    assert :sys.get_state(daemon).watchdog.timer == nil
    :ok = Daemon.write(daemon, "ready\n")
    assert Daemon.await_ready(daemon) == :ok
    assert_receive {:EXIT, ^daemon, %Error{step: :watchdog}}, 60_000
  end
end
