# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ExitStatusTest do
  use ExUnit.Case, async: true

  # OTP reports daemons that stop with an error.
  @moduletag :capture_log

  @codes 0..255

  # By default, these signals are ignored (SIGCHLD, SIGCONT, SIGURG, SIGWINCH) or stop a process (SIGSTOP,
  # SIGTSTP, SIGTTIN, SIGTTOU). All others terminate it. Source: signal(7).
  @not_terminating ~w(CHLD CONT URG WINCH STOP TSTP TTIN TTOU)

  defp each(values, fun) do
    values
    |> Task.async_stream(fn value -> {value, fun.(value)} end, max_concurrency: 8)
    |> Map.new(fn {:ok, result} -> result end)
  end

  defp run(script) do
    result = MuonTrap.run("sh", ["-c", script])
    {result.exit_status, result.signal}
  end

  # The exit status that a daemon passes to `:exit_status_to_reason`.
  defp daemon(script) do
    Process.flag(:trap_exit, true)
    opts = [exit_status_to_reason: &{:status, &1}]
    {:ok, daemon} = MuonTrap.Daemon.start_link("sh", ["-c", script], opts)
    assert_receive {:EXIT, ^daemon, reason}
    reason
  end

  defp terminating_signals do
    # dash has no names for the signals between the standard and the real-time ones.
    names = for number <- 1..64, do: {number, name(number)}
    signals = for {number, name} <- names, name not in @not_terminating, do: number
    assert length(signals) == 64 - length(@not_terminating)
    signals
  end

  defp name(number) do
    {name, _status} = System.cmd("sh", ["-c", "kill -l #{number}"], stderr_to_stdout: true)
    name |> String.trim() |> String.replace_prefix("SIG", "")
  end

  # Without core files.
  defp die(signal), do: "ulimit -c 0; kill -#{signal} $$"

  test "all 256 exit codes are returned" do
    assert each(@codes, &run("exit #{&1}")) == Map.new(@codes, &{&1, {&1, nil}})
  end

  test "all 256 exit codes are passed to a daemon" do
    expected = Map.new(@codes, &{&1, {:status, &1}})
    assert each(@codes, &daemon("exit #{&1}")) == %{expected | 0 => :normal}
  end

  test "every terminating signal is returned" do
    signals = terminating_signals()
    assert each(signals, &run(die(&1))) == Map.new(signals, &{&1, {128 + &1, &1}})
  end

  test "every terminating signal is passed to a daemon" do
    signals = terminating_signals()
    assert each(signals, &daemon(die(&1))) == Map.new(signals, &{&1, {:status, 128 + &1}})
  end
end
