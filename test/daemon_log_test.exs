# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonLogTest do
  # Not async: the log is everybody's.
  use ExUnit.Case

  import ExUnit.CaptureLog

  alias MuonTrap.Daemon

  # Runs a program to its end, with exit status 0, and returns what was logged.
  defp logged(script, opts, capture \\ []) do
    defaults = [format: "$level|$message|$metadata\n", metadata: [:muontrap_cmd]]
    capture = Keyword.merge([colors: [enabled: false]] ++ defaults, capture)

    capture_log(capture, fn ->
      {:ok, daemon} = Daemon.start_link("sh", ["-c", script], opts)
      ref = Process.monitor(daemon)

      assert_receive {:DOWN, ^ref, :process, ^daemon, reason} when reason in [:normal, :noproc],
                     5000
    end)
  end

  test "nothing is logged unless asked" do
    assert logged("echo a; echo b", []) == ""
    assert logged("echo a; echo b", logger_fun: fn _line -> :ok end) == ""
  end

  test "each line is logged with the command in front" do
    assert logged("echo a; echo b", log_output: :info) ==
             "info|sh: a|muontrap_cmd=sh \ninfo|sh: b|muontrap_cmd=sh \n"
  end

  test "at the level that was asked for" do
    for level <- [:error, :warning, :info, :debug] do
      assert logged("echo a", log_output: level) =~ ~r/^(\[?)#{level}/
    end

    assert logged("echo a", log_output: :warn) =~ "warning|sh: a|"
  end

  test "with another prefix" do
    assert logged("echo a", log_output: :info, log_prefix: "") =~ "info|a|"
    assert logged("echo a", log_output: :info, log_prefix: "x ") =~ "info|x a|"
  end

  test "what is not UTF-8 is made printable" do
    assert logged("printf 'a\\377ä\\200\\n'", log_output: :info) =~ ~S(info|sh: a\xFFä\x80|)
  end

  test "transformed" do
    assert logged("echo a", log_output: :info, log_transform: &String.upcase/1) =~ "info|sh: A|"
  end

  test "with metadata" do
    metadata = [format: "$metadata\n", metadata: [:muontrap_cmd, :muontrap_args, :mine]]

    assert logged("echo a", [log_output: :info, logger_metadata: [mine: 1]], metadata) =~
             "muontrap_cmd=sh muontrap_args=-c echo a mine=1"
  end

  test "a logger_fun goes before log_output" do
    assert logged("echo a", log_output: :info, logger_fun: fn _line -> :ok end) == ""
  end
end
