# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonOutputTest do
  # What a daemon does with stdout and stderr.
  # Not async: the log is shared by all tests.
  use ExUnit.Case

  import ExUnit.CaptureLog
  import MuonTrap.Test.{Options, OS}

  alias MuonTrap.Daemon
  alias MuonTrap.Daemon.Events

  @moduletag :capture_log

  @both "echo out; echo err >&2"

  setup do
    Process.flag(:trap_exit, true)
    :ok = Logger.put_module_level(Events, :none)
    on_exit(fn -> Logger.delete_module_level(Events) end)
  end

  # Runs a program to its end, and returns the messages that came meanwhile.
  defp run(script, opts) do
    {:ok, daemon} = Daemon.start_link("sh", ["-c", script], opts)
    assert_receive {:EXIT, ^daemon, :normal}
    messages()
  end

  defp messages do
    receive do
      message -> [message | messages()]
    after
      0 -> []
    end
  end

  # As above, for the log.
  defp logged(script, opts) do
    format = [format: "$level|$message\n", metadata: [], colors: [enabled: false]]
    log = capture_log(format, fn -> run(script, opts) end)
    log |> String.split("\n", trim: true) |> Enum.sort()
  end

  defp to_test do
    test = self()
    &send(test, &1)
  end

  defp to_test_with_stream do
    test = self()
    &send(test, {&2, &1})
  end

  @doc false
  def send_it(data, pid), do: send(pid, data)

  describe "log_stderr" do
    test "logs the lines of stderr at a level of their own" do
      assert logged(@both, log_output: :info, log_stderr: :error) == [
               "error|sh: err",
               "info|sh: out"
             ]

      assert logged(@both, log_stderr: :warning) |> hd() =~ ~r/^warn(ing)?\|sh: err$/
      assert logged(@both, log_stderr: :warn) == logged(@both, log_stderr: :warning)
    end

    test "is the level of log_output by default, for stderr that is captured" do
      opts = [log_output: :info, stderr: :capture]
      assert logged(@both, opts) == ["info|sh: err", "info|sh: out"]
      assert logged(@both, [stdout: :discard] ++ opts) == ["info|sh: err"]
    end

    test "does not have stdout logged, which is counted if it is captured" do
      opts = [log_stderr: :info, stdout: :capture]
      assert logged(@both, opts) == ["info|sh: err"]
      {:ok, daemon} = Daemon.start_link("sh", ["-c", @both <> "; exec sleep 1000"], opts)
      wait_until(fn -> Daemon.statistics(daemon).output_byte_count == 8 end)
      statistics = Daemon.statistics(daemon)
      assert %{stdout_byte_count: 4, stderr_byte_count: 4, line_count: 1} = statistics
      GenServer.stop(daemon)
    end

    test "has the prefix and the transformation of log_output" do
      opts = [log_stderr: :info, log_prefix: "> ", log_transform: &String.upcase/1]
      assert logged(@both, opts) == ["info|> ERR"]
    end
  end

  describe "logger_fun of two arguments" do
    test "gets the name of the stream" do
      assert run(@both, logger_fun: to_test_with_stream()) |> Enum.sort() == [
               stderr: "err",
               stdout: "out"
             ]
    end

    test "gets whole lines of each" do
      script = "printf 1; printf a >&2; printf 2; printf 'b\\nc' >&2; printf '3\\n4'"
      lines = run(script, logger_fun: to_test_with_stream())
      assert for({:stdout, line} <- lines, do: line) == ["123", "4"]
      assert for({:stderr, line} <- lines, do: line) == ["ab", "c"]
    end

    test "gets merged streams as stdout" do
      for opts <- [[stderr: :to_stdout], [stderr_to_stdout: true]] do
        lines = run(@both, [logger_fun: to_test_with_stream()] ++ opts)
        assert lines == [stdout: "out", stdout: "err"]
      end
    end

    test "does not change where stderr goes if another option says so" do
      assert run(@both, logger_fun: to_test_with_stream(), stderr: :discard) == [stdout: "out"]
    end
  end

  describe "output_fun" do
    test "gets chunks as they come" do
      bytes = :rand.bytes(100_000)
      file = Path.join(System.tmp_dir!(), marker())
      on_exit(fn -> File.rm(file) end)
      File.write!(file, bytes)
      chunks = run("exec cat '#{file}'", output_fun: to_test(), stdio_window: 1000)
      assert IO.iodata_to_binary(chunks) == bytes
      assert Enum.all?(chunks, &(byte_size(&1) in 1..1000))
      # Without waiting for a newline.
      {:ok, daemon} =
        Daemon.start_link("sh", ["-c", "printf '> '; exec sleep 1000"], output_fun: to_test())

      assert_receive "> "
      GenServer.stop(daemon)
    end

    test "of two arguments gets the name of the stream" do
      chunks = run(@both, output_fun: to_test_with_stream())
      assert Enum.sort(chunks) == [stderr: "err\n", stdout: "out\n"]
    end

    test "may be a function of a module" do
      assert run("echo out", output_fun: {__MODULE__, :send_it, [self()]}) == ["out\n"]
      Process.register(self(), __MODULE__)
      assert run("echo out", output_fun: {__MODULE__, :send_to_test}) == ["out\n"]
    end

    @doc false
    def send_to_test(chunk), do: send(__MODULE__, chunk)

    test "gets chunks beside the lines, each before its lines" do
      opts = [output_fun: to_test(), logger_fun: to_test_with_stream()]
      assert run("printf 'one\\ntwo'", opts) == ["one\ntwo", {:stdout, "one"}, {:stdout, "two"}]
      assert logged("echo out", output_fun: to_test(), log_output: :info) == ["info|sh: out"]
    end

    test "holds up the program while it runs" do
      test = self()

      wait = fn chunk ->
        send(test, {:chunk, self(), chunk})
        receive(do: (:go_on -> :ok))
      end

      opts = [output_fun: wait, stdio_window: 1000]
      {:ok, daemon} = Daemon.start_link("seq", ["1", "1000000"], opts)
      assert_receive {:chunk, ^daemon, chunk}
      assert byte_size(chunk) <= 1000
      {:messages, messages} = Process.info(daemon, :messages)
      assert Enum.all?(messages, &(byte_size(:erlang.term_to_binary(&1)) < 5000))
      Process.unlink(daemon)
      Process.exit(daemon, :kill)
    end

    test "is called in the process of the daemon, with its metadata" do
      test = self()
      fun = fn _chunk -> send(test, {self(), Logger.metadata()[:mine]}) end

      {:ok, daemon} =
        Daemon.start_link("echo", ["out"], output_fun: fun, logger_metadata: [mine: 1])

      assert_receive {^daemon, 1}
    end
  end

  describe "the options" do
    test "choose which streams are captured" do
      one = fn _ -> :ok end
      two = fn _, _ -> :ok end

      for {opts, expected} <- [
            {[log_stderr: :info], {:discard, :capture}},
            {[log_stderr: :info, log_output: :info], {:capture, :capture}},
            {[log_stderr: :info, capture_stderr_only: true], {:discard, :capture}},
            {[logger_fun: one], {:capture, :inherit}},
            {[logger_fun: two], {:capture, :capture}},
            {[logger_fun: two, stderr: :inherit], {:capture, :inherit}},
            {[logger_fun: two, stderr_to_stdout: true], {:capture, :to_stdout}},
            {[output_fun: one], {:capture, :inherit}},
            {[output_fun: {IO, :write}], {:capture, :inherit}},
            {[output_fun: two], {:capture, :capture}},
            {[output_fun: two, stdout: :discard], {:discard, :capture}}
          ] do
        options = valid(:daemon, opts)
        assert {options.stdout, options.stderr} == expected
      end
    end

    test "are refused when they contradict each other" do
      for {opts, named} <- [
            {[log_stderr: :info, stderr: :discard], ["log_stderr", "stderr: :discard"]},
            {[log_stderr: :info, stderr: {:file, "x"}], ["log_stderr", "stderr: {:file"]},
            {[log_stderr: :info, stderr_to_stdout: true], ["log_stderr", "stderr_to_stdout"]},
            {[log_stderr: :info, stderr: :to_stdout], ["log_stderr", "stderr: :to_stdout"]},
            {[log_stderr: :info, use_stdio: false], ["log_stderr", "use_stdio"]},
            {[output_fun: & &1, use_stdio: false], ["output_fun", "use_stdio"]},
            {[output_fun: & &1, stdout: :discard], ["output_fun", "stdout: :discard"]}
          ] do
        error = assert_raise ArgumentError, fn -> valid(:daemon, opts) end
        for name <- named, do: assert(error.message =~ name)
      end
    end

    test "are refused when they have no such value" do
      refuses(:daemon, :log_stderr, [true, "info", nil, :all])
      refuses(:daemon, :output_fun, [fn -> :ok end, fn _, _, _ -> :ok end, IO, {IO, 1}, nil])
      refuses(:daemon, :logger_fun, [fn _, _, _ -> :ok end])
    end
  end
end
