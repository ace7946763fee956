# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.PtyTest do
  # The option :pty, with programs that want a terminal.
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Needs, Options, OS}

  alias MuonTrap.Daemon
  alias MuonTrap.Process, as: Handle

  defp start!(command, args, opts \\ []) do
    {:ok, handle} = Handle.start_link(command, args, Keyword.put_new(opts, :pty, true))
    handle
  end

  # Reads until the output matches, and returns what was read.
  defp expect(handle, pattern, output \\ "") do
    if output =~ pattern do
      output
    else
      case Handle.read(handle, 60_000) do
        {:ok, {:stdout, data}} -> expect(handle, pattern, output <> data)
        other -> flunk("no #{inspect(pattern)} in #{inspect(output)}, but #{inspect(other)}")
      end
    end
  end

  defp await_status(handle) do
    {:ok, result} = Handle.await_exit(handle, 60_000)
    result.exit_status
  end

  describe "the option" do
    test "has defaults" do
      assert valid(pty: true).pty == %{rows: 24, cols: 80, echo: true}
      assert valid(pty: [cols: 132, echo: false]).pty == %{rows: 24, cols: 132, echo: false}
      assert valid(pty: []).pty == valid(pty: true).pty
      assert valid(pty: false).pty == nil
      assert valid([]).pty == nil
    end

    test "refuses what no terminal has" do
      refuses(:pty, [nil, 1, "true", %{rows: 24}, [24, 80], [rows: 0], [cols: 65_536], [echo: 1]])
      assert refused(:pty, row: 24) =~ "rows"
      assert refused(:pty, rows: "24") =~ "a number of rows from 1 to 65535"
    end

    test "is for all functions" do
      for context <- [:cmd, :run, :stream, :stream!, :daemon, :process],
          do: assert(valid(context, pty: true).stderr == :to_stdout)
    end

    test "contradicts options that take a stream from the terminal" do
      for {context, opts, other} <- [
            {:run, [stderr: :capture], "stderr: :capture"},
            {:cmd, [stderr: :discard], "stderr: :discard"},
            {:cmd, [stderr: :inherit], "stderr: :inherit"},
            {:cmd, [stderr: {:file, "f"}], "stderr: {:file, ...}"},
            {:cmd, [capture_stderr_only: true], "capture_stderr_only: true"},
            {:daemon, [log_stderr: :error], "log_stderr: :error"},
            {:cmd, [use_stdio: false], "use_stdio: false"},
            {:cmd, [stdout: :inherit], "stdout: :inherit"},
            {:cmd, [stdout: {:file, "f"}], "stdout: {:file, ...}"},
            {:cmd, [input: {:file, "f"}], "input: {:file, ...}"},
            {:cmd, [input: :null], "input: :null"}
          ] do
        error = assert_raise ArgumentError, fn -> valid(context, [pty: true] ++ opts) end
        assert error.message =~ "pty"
        assert error.message =~ other
      end

      for opts <- [
            [stderr: :to_stdout],
            [stderr_to_stdout: true],
            [stdout: :discard],
            [stdout: :capture]
          ],
          do: assert(valid([pty: true] ++ opts).pty)
    end
  end

  test "is a terminal" do
    assert {"/dev/" <> _name, 0} = MuonTrap.cmd("tty", [], pty: true)
    assert {"24 80\r\n", 0} = MuonTrap.cmd("stty", ["size"], pty: true)
    assert {"50 132\r\n", 0} = MuonTrap.cmd("stty", ["size"], pty: [rows: 50, cols: 132])
    assert MuonTrap.cmd("sh", ["-c", "test -t 0 && test -t 1 && test -t 2"], pty: true) == {"", 0}
    assert {"not a tty\n", 1} = MuonTrap.cmd("tty", [])
  end

  test "carries stdout and stderr in the order of the program" do
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; echo tty > /dev/tty; exit 3"
    expected = for(i <- 1..3, do: "out #{i}\r\nerr #{i}\r\n") |> Enum.join()
    assert MuonTrap.cmd("sh", ["-c", script], pty: true) == {expected <> "tty\r\n", 3}
    result = MuonTrap.run("sh", ["-c", "echo a; echo b >&2"], pty: true, lines: true, into: [])
    assert result.output == ["a", "b"]
    assert result.stdout_bytes == 6
  end

  test "has all output of a program that has ended" do
    script = "stty -opost; head -c 1000000 /dev/zero; printf end; exit 7"

    for window <- [1_000, 1_000_000] do
      {output, 7} = MuonTrap.cmd("sh", ["-c", script], pty: true, stdio_window: window)
      assert output == :binary.copy(<<0>>, 1_000_000) <> "end"
    end
  end

  test "takes input, whose end is the end of file" do
    opts = [pty: [echo: false]]
    assert MuonTrap.cmd("cat", [], [input: ""] ++ opts) == {"", 0}
    assert MuonTrap.cmd("cat", [], [input: "line\n"] ++ opts) == {"line\r\n", 0}
    assert MuonTrap.cmd("cat", [], [input: "no newline"] ++ opts) == {"no newline", 0}
    lines = Stream.map(1..2000, &"#{&1}\n")
    result = MuonTrap.run("cat", [], [input: lines, lines: true, into: []] ++ opts)
    assert result.output == Enum.map(1..2000, &Integer.to_string/1)
    assert result.input_bytes == 8893
  end

  test "works for streams" do
    stream =
      MuonTrap.stream!("sh", ["-c", "tty; exit 2"], pty: true, lines: true, ok_statuses: [2])

    assert ["/dev/" <> _name] = Enum.to_list(stream)
  end

  test "kills what ignores the hangup" do
    script = "trap '' HUP; #{MuonTrap.Test.Needs.orphan()}; sleep 1000 & echo $!; exit 4"
    result = MuonTrap.run("sh", ["-c", script], pty: true)
    assert {result.exit_status, result.survivors} == {4, 0}
    assert result.swept >= 2
    {pid, "\r\n"} = Integer.parse(result.output)
    refute alive?(pid)
  end

  @tag :capture_log
  test "is gone with its owner" do
    test = self()

    owner =
      spawn(fn ->
        handle = start!("sh", ["-c", "trap '' HUP; sleep 1000 & wait"])
        send(test, {handle, Handle.info(handle).program_os_pid})
        Process.sleep(:infinity)
      end)

    assert_receive {handle, pid}
    monitor = Process.monitor(handle)
    Process.exit(owner, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^handle, :killed}
    refute alive?(pid)
  end

  @tag needs(:root)
  test "belongs to the user of the program" do
    script = "stat -c '%u' $(tty); echo opened > $(tty)"
    opts = [pty: true, uid: 65_534, cd: "/"]
    assert MuonTrap.cmd("sh", ["-c", script], opts) == {"65534\r\nopened\r\n", 0}
  end

  describe "resize/3" do
    @script "trap 'stty size; exit 5' WINCH; echo ready; while :; do read x; done"

    test "sends SIGWINCH" do
      handle = start!("sh", ["-c", @script])
      expect(handle, "ready")
      assert Handle.resize(handle, 50, 132) == :ok
      expect(handle, "50 132\r\n")
      assert await_status(handle) == 5
      assert Handle.resize(handle, 50, 132) == {:error, :exited}
    end

    @tag :capture_log
    test "of a daemon" do
      test = self()
      fun = &send(test, {:line, &1})
      opts = [pty: [rows: 10], logger_fun: fun, exit_status_to_reason: fn 5 -> :normal end]
      {:ok, daemon} = Daemon.start_link("sh", ["-c", @script], opts)
      assert_receive {:line, "ready"}
      monitor = Process.monitor(daemon)
      assert Daemon.resize(daemon, 65_535, 1) == :ok
      assert_receive {:line, "65535 1"}
      assert_receive {:DOWN, ^monitor, :process, _pid, :normal}
    end

    test "needs a terminal" do
      {:ok, handle} = Handle.start_link("sleep", ["1000"])
      assert Handle.resize(handle, 1, 1) == {:error, :no_pty}
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
      assert Daemon.resize(daemon, 1, 1) == {:error, :no_pty}
      assert_raise ArgumentError, ~r/rows from 1 to 65535/, fn -> Daemon.resize(daemon, 0, 1) end
      assert_raise ArgumentError, ~r/columns.*"80"/, fn -> Handle.resize(handle, 24, "80") end
      GenServer.stop(daemon)
    end
  end

  @tag :capture_log
  test "a daemon's output is thrown away if nothing handles it" do
    {:ok, daemon} =
      Daemon.start_link("sh", ["-c", "head -c 1000000 /dev/zero; read x; test $x = done"],
        pty: true
      )

    monitor = Process.monitor(daemon)
    assert Daemon.write(daemon, "done\n") == :ok
    assert_receive {:DOWN, ^monitor, :process, _pid, :normal}
  end

  @tag needs(program: "bash")
  test "bash is driven by writes" do
    bash =
      start!("bash", ["--norc", "--noprofile", "-i"],
        env: [{"PS1", "prompt> "}, {"TERM", "dumb"}, {"HISTFILE", nil}]
      )

    expect(bash, "prompt> ")
    Handle.write(bash, "echo $((6 * 7)); tty\n")
    expect(bash, ~r"\r\n42\r\n/dev/.*prompt> "s)

    # Ctrl-C interrupts the job, and not the shell. The job writes, since it is in the foreground then.
    Handle.write(bash, "sh -c 'echo started; exec sleep 1000'\n")
    expect(bash, ~r/\nstarted\r\n/)
    Handle.write(bash, <<3>>)
    expect(bash, ~r/\^C.*prompt> /s)
    # Ctrl-Z suspends one, and the shell continues it.
    Handle.write(bash, "sh -c 'echo up; exec cat'\n")
    expect(bash, ~r/\nup\r\n/)
    Handle.write(bash, "seen\n")
    expect(bash, ~r/seen\r\nseen\r\n/)
    Handle.write(bash, <<26>>)
    expect(bash, ~r/Stopped.*prompt> /s)
    Handle.write(bash, "fg\n")
    expect(bash, ~r/fg\r\n.*exec cat'\r\n/s)
    Handle.write(bash, "again\n")
    expect(bash, ~r/again\r\n/)
    Handle.write(bash, <<4>>)
    expect(bash, "prompt> ")
    Handle.write(bash, "exit 9\n")
    assert await_status(bash) == 9
  end

  @tag needs(program: "python3")
  test "python3 answers" do
    python = start!("python3", ["-i", "-q"], env: [{"TERM", "dumb"}, {"PYTHON_BASIC_REPL", "1"}])
    expect(python, ">>> ")
    Handle.write(python, "6 * 7\n")
    expect(python, ~r/42\r\n.*>>> /s)
    Handle.write(python, "import os; os.get_terminal_size().columns\n")
    expect(python, ~r/80\r\n.*>>> /s)
    Handle.close_input(python)
    assert await_status(python) == 0
  end

  @tag needs(program: "vi")
  @tag :tmp_dir
  test "vi edits a file", %{tmp_dir: directory} do
    file = Path.join(directory, "file")
    File.write!(file, "first\n")
    vi = start!("vi", [file], env: [{"TERM", "xterm"}, {"HOME", directory}])
    expect(vi, "first")
    Handle.write(vi, "osecond\e:wq\r")
    drain(vi)
    assert await_status(vi) == 0
    assert File.read!(file) == "first\nsecond\n"
  end

  @tag needs(program: "less")
  @tag :tmp_dir
  test "less shows a page of the size of the terminal", %{tmp_dir: directory} do
    file = Path.join(directory, "file")
    File.write!(file, Enum.map(1..100, &"line #{&1}.\n"))
    less = start!("less", [file], pty: [rows: 10], env: [{"TERM", "xterm"}, {"LESS", nil}])
    refute expect(less, ~r/line 9\./) =~ "line 10."
    Handle.write(less, " ")
    expect(less, ~r/line 18\./)
    Handle.write(less, "q")
    drain(less)
    assert await_status(less) == 0
  end

  defp drain(handle) do
    case Handle.read(handle, 60_000) do
      {:ok, _chunk} -> drain(handle)
      :eof -> :ok
    end
  end
end
