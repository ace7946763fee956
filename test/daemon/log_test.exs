# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonLogTest do
  # Not async: the log is shared by all tests.
  use ExUnit.Case

  import ExUnit.CaptureLog

  alias MuonTrap.Daemon
  alias MuonTrap.Daemon.Events

  require Logger

  # Runs a program to its end, and returns the log messages with its output.
  defp logged(script, opts, capture \\ []) do
    :ok = Logger.put_module_level(Events, :none)
    log(script, opts, capture)
  after
    Logger.delete_module_level(Events)
  end

  # Returns all log messages.
  defp log(script, opts, capture \\ []) do
    defaults = [format: "$level|$message|$metadata\n", metadata: [:muontrap_cmd]]
    capture = Keyword.merge([colors: [enabled: false]] ++ defaults, capture)

    capture_log(capture, fn ->
      Process.flag(:trap_exit, true)
      {:ok, daemon} = Daemon.start_link("sh", ["-c", script], opts)
      assert_receive {:EXIT, ^daemon, _reason}
    end)
  end

  test "nothing is logged by default" do
    assert logged("echo a; echo b", []) == ""
    assert logged("echo a; echo b", logger_fun: fn _line -> :ok end) == ""
  end

  test "each line is logged after the command" do
    assert logged("echo a; echo b", log_output: :info) ==
             "info|sh: a|muontrap_cmd=sh \ninfo|sh: b|muontrap_cmd=sh \n"
  end

  test "at the level of the option" do
    for level <- [:error, :warning, :info, :debug] do
      assert logged("echo a", log_output: level) =~ ~r/^(\[?)#{level}/
    end

    assert logged("echo a", log_output: :warn) =~ "warning|sh: a|"
  end

  test "with another prefix" do
    assert logged("echo a", log_output: :info, log_prefix: "") =~ "info|a|"
    assert logged("echo a", log_output: :info, log_prefix: "x ") =~ "info|x a|"
  end

  test "bytes that are not UTF-8 are made printable" do
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

  test "a logger_fun takes precedence over log_output" do
    assert logged("echo a", log_output: :info, logger_fun: fn _line -> :ok end) == ""
  end

  test "the messages of logger_fun have the metadata" do
    opts = [logger_fun: &Logger.info(&1), logger_metadata: [mine: 1]]

    assert logged("echo a", opts, metadata: [:muontrap_cmd, :muontrap_args, :mine]) ==
             "info|a|muontrap_cmd=sh muontrap_args=-c echo a mine=1 \n"
  end

  describe "the end of the program is logged," do
    defp ending(script, opts \\ []) do
      script |> log(opts, metadata: [:mine]) |> String.split("\n") |> hd()
    end

    test "whether the output is logged or not" do
      for opts <- [[], [log_output: :info], [logger_fun: fn _line -> :ok end]] do
        assert ending("exit 0", opts) == "info|sh: Process exited successfully|"
        assert ending("exit 3", opts) == "error|sh: Process exited with status 3|"
      end
    end

    test "with the metadata of the daemon" do
      opts = [logger_metadata: [mine: 1]]
      assert ending("exit 0", opts) == "info|sh: Process exited successfully|mine=1 "
      assert ending("exit 3", opts) == "error|sh: Process exited with status 3|mine=1 "
    end

    test "with the name of the signal" do
      for {signal, name} <- [KILL: "SIGKILL", TERM: "SIGTERM", SEGV: "SIGSEGV"] do
        status = 128 + %{KILL: 9, TERM: 15, SEGV: 11}[signal]

        assert ending("ulimit -c 0; kill -#{signal} $$") ==
                 "error|sh: Process exited with status #{status} (#{name})|"
      end

      assert ending("kill -34 $$") == "error|sh: Process exited with status 162 (signal 34)|"
    end

    test "after its last line" do
      assert ["info|sh: last|", "info|sh: Process exited" <> _ | _] =
               "printf last" |> log([log_output: :info], metadata: []) |> String.split("\n")
    end

    test "when it ends by itself, but not when it is stopped" do
      log =
        capture_log(fn ->
          {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
          GenServer.stop(daemon)
        end)

      assert log == ""
    end

    test "unless the log level of the module prevents it" do
      :ok = Logger.put_module_level(Events, :error)
      assert log("exit 0", []) == ""
      assert ending("exit 3") =~ "status 3"
      :ok = Logger.put_module_level(Events, :none)
      refute log("exit 3", []) =~ "status 3"
    after
      Logger.delete_module_level(Events)
    end

    test "with a hint if it has put itself in the background" do
      assert [info, warning, ""] =
               "sleep 1000 & #{MuonTrap.Test.Needs.orphan()}; exit 0"
               |> log([], metadata: [])
               |> String.split("\n")

      assert info == "info|sh: Process exited successfully|"

      assert warning =~
               ~r/^(\[?)warn(ing)?\|sh: Process exited with status 0 after \d+ ms, and 2 processes that it left behind were killed\. /

      assert warning =~ "run it in the foreground"
      assert warning =~ "orphans: :leave"
    end

    test "without the hint if nothing was killed, or the exit status is not 0" do
      refute log("exit 0", []) =~ "foreground"
      refute log("sleep 1000 & exit 3", []) =~ "foreground"
    end
  end

  describe "a missing program is logged," do
    defp failing(command, opts) do
      capture_log([format: "$level|$message|$metadata\n", metadata: [:mine]], fn ->
        Process.flag(:trap_exit, true)

        with {:ok, daemon} <- Daemon.start_link(command, [], opts),
             do: assert_receive({:EXIT, ^daemon, :enoent})
      end)
    end

    test "with the directories in PATH" do
      log = failing("no_such_program", logger_metadata: [mine: 1])
      assert log =~ ~s(error|no_such_program: there is no program "no_such_program" in PATH)
      assert log =~ System.get_env("PATH")
      assert log =~ "|mine=1"
    end

    test "with its path" do
      for opts <- [[], [wait_for: fn -> :ok end]] do
        log = failing("/no/such/program", [logger_metadata: [mine: 1]] ++ opts)
        assert log =~ ~s(error|/no/such/program: there is no program "/no/such/program"|mine=1)
      end
    end

    @tag :tmp_dir
    test "also if it is not executable", %{tmp_dir: directory} do
      plain = Path.join(directory, "plain")
      File.write!(plain, "")
      log = capture_log(fn -> assert Daemon.start_link(plain, []) == {:error, :eacces} end)
      assert log =~ "#{inspect(plain)} is not executable"
    end
  end

  describe "the crash report of a daemon" do
    test "is short, and has no bytes of frames" do
      # "\x82" is the tag of a frame with output, and "\x85" that of the exit report.
      for {script, opts, expected} <- [
            {"exit 3", [], ["exit_status: 3", "signal: nil"]},
            {"kill -TERM $$", [], ["exit_status: 143", "signal: 15"]},
            {"echo secret_$(echo output); sleep 1000", [logger_fun: fn _line -> exit(:no) end],
             []}
          ] do
        log = log(script, opts)
        assert log =~ "terminating"
        assert [_, state] = Regex.run(~r/State: (.*)/, log)
        for part <- [~s(command: "sh"), "program_os_pid:" | expected], do: assert(state =~ part)
        assert byte_size(state) < 300
        refute state =~ "secret_output"
        refute log =~ "<<"
        refute log =~ "data"
      end
    end

    test "shows the number of bytes instead of the output in a message" do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
      port = hd(Port.list())

      for {message, shown} <- [
            {{port, {:data, <<0x82, "secret_output">>}}, {port, {:data, "14 bytes"}}},
            {{:tcp, port, <<0x82, "secret_output">>}, {:tcp, port, "14 bytes"}}
          ] do
        status = Daemon.Server.format_status(%{message: message, queue: [message]})
        assert status == %{message: shown, queue: [shown]}
      end

      GenServer.stop(daemon)
    end
  end
end
