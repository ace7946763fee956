# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OutputDestinationTest do
  # The options :stdout and :stderr, which say where output goes.
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Needs, Options, OS}

  alias MuonTrap.{Daemon, Error}

  @moduletag :tmp_dir

  @both "echo out; echo err >&2"

  defp run(script, opts), do: MuonTrap.run("sh", ["-c", script], opts)
  defp cmd(script, opts), do: MuonTrap.cmd("sh", ["-c", script], opts)

  # Where the descriptors of a program lead. Its output goes to the file "fds".
  defp descriptors(directory, opts) do
    file = Path.join(directory, "fds")
    script = "exec 8>&1 9>&2; for i in 0 8 9; do readlink /proc/$$/fd/$i; done >'#{file}'"
    assert {"", 0} = cmd(script, opts)
    file |> File.read!() |> String.split("\n", trim: true)
  end

  defp own(fd), do: File.read_link!("/proc/#{System.pid()}/fd/#{fd}")

  describe "stderr: :capture" do
    test "collects stderr apart from stdout" do
      result = run(@both, stderr: :capture)
      assert {result.output, result.stderr, result.exit_status} == {"out\n", "err\n", 0}
      assert {result.stdout_bytes, result.stderr_bytes} == {4, 4}
    end

    test "has an empty binary for a program that writes nothing there" do
      assert run("echo out", stderr: :capture).stderr == ""
      assert run("sleep 1000", stderr: :capture, timeout: 1).stderr == ""
    end

    test "does not depend on :into, :lines and :stdout" do
      result = run(@both, stderr: :capture, into: [], lines: 100)
      assert {result.output, result.stderr} == {["out"], "err\n"}
      result = run(@both, stderr: :capture, stdout: :discard)
      assert {result.output, result.stderr, result.stdout_bytes} == {"", "err\n", 0}
    end

    test "has all bytes of both, whatever the window" do
      numbers = fn range -> Enum.map_join(range, &"#{&1}\n") end

      for window <- [1, 1000, 1_000_000] do
        opts = [stderr: :capture, stdio_window: window]
        result = run("seq 1 5000; seq 5001 10000 >&2; seq 10001 10010", opts)
        assert result.output == numbers.(1..5000) <> numbers.(10_001..10_010)
        assert result.stderr == numbers.(5001..10_000)
      end
    end

    test "holds up neither stream while the other is full" do
      size = 1_000_000
      script = "head -c #{size} /dev/zero >&2 & head -c #{size} /dev/zero; wait"
      result = run(script, stderr: :capture)
      assert {byte_size(result.output), byte_size(result.stderr)} == {size, size}
    end

    test "is what has come by then, after a timeout" do
      result = run("echo out; echo err >&2; exec sleep 1000", stderr: :capture, timeout: 3000)
      assert {result.output, result.stderr} == {"out\n", "err\n"}
      assert result.exit_status == :timeout
    end

    test "gives a stream elements of each kind" do
      stream = &MuonTrap.stream("sh", ["-c", &1], [stderr: :capture] ++ &2)
      elements = "seq 1 5; seq 6 9 >&2" |> stream.([]) |> Enum.to_list()
      of = fn kind -> for {^kind, data} <- elements, into: "", do: data end
      assert {of.(:stdout), of.(:stderr)} == {"1\n2\n3\n4\n5\n", "6\n7\n8\n9\n"}
      assert List.last(elements) == {:exit, 0}
      script = "printf a; printf x >&2; echo b; echo y >&2"
      lines = script |> stream.(lines: true) |> Enum.sort()
      assert lines == [exit: 0, stderr: "xy", stdout: "ab"]
      long = stream.("printf 12345 >&2", max_chunk_bytes: 2)
      assert Enum.to_list(long) == [stderr: "12", stderr: "34", stderr: "5", exit: 0]
    end

    test "gives a failed stream the end of it" do
      stream = &MuonTrap.stream!("sh", ["-c", &1], [stderr: :capture] ++ &2)
      enumerate = fn script, opts -> catch_error(Enum.each(stream.(script, opts), & &1)) end
      assert enumerate.("echo no >&2; exit 2", []).stderr == "no\n"
      end_of_it = enumerate.("seq 1 10000 >&2; exit 2", lines: true).stderr
      assert byte_size(end_of_it) == 4096 and String.ends_with?(end_of_it, "\n9999\n10000\n")
    end

    test "is no option of cmd/3, which has one output" do
      message = refused(:stderr, :capture)
      assert message =~ "MuonTrap.run/3"
      assert message =~ "stderr: :to_stdout"
    end
  end

  test "the result has no stderr unless it is collected apart" do
    for opts <- [
          [],
          [stderr: :to_stdout],
          [stderr: :discard],
          [capture_stderr_only: true],
          [stderr_to_stdout: true]
        ] do
      assert run("echo out", opts).stderr == nil
    end

    assert run("sleep 1000", timeout: 1).stderr == nil
  end

  test "the elements of a stream have no names unless stderr is captured apart" do
    for opts <- [[stderr: :to_stdout], [capture_stderr_only: true], [stderr_to_stdout: true]] do
      assert MuonTrap.stream!("sh", ["-c", "echo e >&2"], opts) |> Enum.to_list() == ["e\n"]
    end
  end

  describe "a stream goes" do
    test "to where the other goes" do
      assert cmd("echo 1; echo 2 >&2; echo 3", stderr: :to_stdout) == {"1\n2\n3\n", 0}
      assert cmd(@both, stderr: :to_stdout, stdout: :discard) == {"", 0}
    end

    test "nowhere", %{tmp_dir: directory} do
      opts = [stdout: :discard, stderr: :discard]
      assert [_stdin, "/dev/null", "/dev/null"] = descriptors(directory, opts)
      assert cmd(@both, stdout: :discard, stderr: :discard) == {"", 0}
      assert run(@both, stderr: :discard).output == "out\n"
    end

    test "to where that of the BEAM goes", %{tmp_dir: directory} do
      stdout = own(1)
      stderr = own(2)
      assert ["pipe:" <> _, ^stdout, ^stderr] = descriptors(directory, stdout: :inherit)
      opts = [stdout: :inherit, stderr: :to_stdout]
      assert ["pipe:" <> _, ^stdout, ^stdout] = descriptors(directory, opts)
      assert ["pipe:" <> _, "pipe:" <> _, ^stderr] = descriptors(directory, stderr: :inherit)
    end
  end

  describe "a file" do
    test "for each stream", %{tmp_dir: directory} do
      opts = [stdout: {:file, "out"}, stderr: {:file, "err"}, cd: directory]
      assert cmd(@both, opts) == {"", 0}
      assert File.read!(Path.join(directory, "out")) == "out\n"
      assert File.read!(Path.join(directory, "err")) == "err\n"
    end

    test "for one stream, while the other is collected", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      assert cmd(@both, stderr: {:file, file}) == {"out\n", 0}
      assert File.read!(file) == "err\n"
      result = run(@both, stdout: {:file, file}, stderr: :capture)
      assert {result.output, result.stderr} == {"", "err\n"}
      assert File.read!(file) == "out\n"
    end

    test "for both", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      opts = [stdout: {:file, file}, stderr: :to_stdout]
      assert cmd("echo 1; echo 2 >&2; echo 3", opts) == {"", 0}
      assert File.read!(file) == "1\n2\n3\n"
      appended = {:file, file, append: true}
      assert cmd(@both, stdout: appended, stderr: appended) == {"", 0}
      assert File.read!(file) == "1\n2\n3\nout\nerr\n"
    end

    test "for both by different paths is refused unless both append", %{tmp_dir: directory} do
      File.mkdir!(Path.join(directory, "sub"))
      File.ln_s!("file", Path.join(directory, "link"))
      marker = marker()

      for other <- ["sub/../file", "link", Path.join(directory, "file")],
          opts <- [[], [append: true]] do
        opts = [stdout: {:file, "file", opts}, stderr: {:file, other}, cd: directory]
        error = catch_error(MuonTrap.cmd("sh", ["-c", "sleep 1000", marker], opts))
        assert %Error{step: :output, path: ^other, errno: nil} = error

        assert Exception.message(error) =~
                 ~s("file" for stdout and the file #{inspect(other)} for)

        assert marked(marker) == []
      end

      opts = [stdout: {:file, "file", append: true}, stderr: {:file, "link", append: true}]
      assert cmd(@both, [cd: directory] ++ opts) == {"", 0}
      assert File.read!(Path.join(directory, "file")) == "out\nerr\n"
      devices = [stdout: {:file, "/dev/null"}, stderr: {:file, "/dev/../dev/null"}]
      assert cmd(@both, devices) == {"", 0}
    end

    test "is truncated, or appended to", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      for n <- 1..2, do: cmd("echo #{n}", stdout: {:file, file})
      assert File.read!(file) == "2\n"
      cmd("echo 3", stdout: {:file, file, append: true})
      cmd("echo 4 >&2", stderr: {:file, file, append: true})
      assert File.read!(file) == "2\n3\n4\n"
      cmd("echo 5", stdout: {:file, file, append: false})
      assert File.read!(file) == "5\n"
    end

    test "has a mode if it is new", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      mode = fn -> Bitwise.band(File.stat!(file).mode, 0o777) end
      cmd("echo", stdout: {:file, file, mode: 0o600})
      assert mode.() == 0o600
      cmd("echo", stdout: {:file, file, mode: 0o644, append: true})
      assert mode.() == 0o600
    end

    test "that cannot be opened is an error, and nothing runs", %{tmp_dir: directory} do
      for {stream, path, errno} <- [
            {:stdout, "/no/such/file", :enoent},
            {:stderr, directory, :eisdir},
            {:stderr, "no/such/file", :enoent}
          ] do
        marker = marker()
        opts = [{stream, {:file, path}}, cd: directory]
        error = catch_error(MuonTrap.cmd("sh", ["-c", "sleep 1000", marker], opts))
        assert %Error{step: :output, path: ^path, errno: ^errno, exit_status: 125} = error
        assert Exception.message(error) =~ inspect(path)
        assert Exception.message(error) =~ "for #{stream}"
        assert marked(marker) == []
        assert Daemon.start_link("sleep", ["1000"], opts) == {:error, error}
      end
    end

    @tag needs(:root)
    test "is opened as the program's user", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      File.write!(file, "root's")
      File.chmod!(file, 0o644)
      error = catch_error(cmd("echo", stdout: {:file, file}, uid: "nobody"))
      assert %Error{step: :output, path: ^file, errno: :eacces} = error
      assert File.read!(file) == "root's"
      File.chmod!(directory, 0o777)
      new = Path.join(directory, "new")
      assert cmd("echo", stdout: {:file, new}, uid: "nobody") == {"", 0}
      assert File.stat!(new).uid == 65_534
    end

    test "may take its time to be opened", %{tmp_dir: directory} do
      fifo = Path.join(directory, "fifo")
      {"", 0} = System.cmd("mkfifo", [fifo])
      assert {"", :timeout} = cmd("echo", stdout: {:file, fifo}, timeout: 200)
      task = Task.async(fn -> cmd("echo content", stdout: {:file, fifo}) end)
      # The BEAM opens no FIFOs.
      assert MuonTrap.cmd("cat", [], input: {:file, fifo}) == {"content\n", 0}
      assert Task.await(task, :infinity) == {"", 0}
    end

    @tag :capture_log
    test "may be a daemon's", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      Process.flag(:trap_exit, true)
      opts = [stdout: {:file, file}, stderr: :to_stdout]
      {:ok, daemon} = Daemon.start_link("sh", ["-c", @both], opts)
      assert_receive {:EXIT, ^daemon, :normal}
      assert File.read!(file) == "out\nerr\n"
    end
  end

  describe "a daemon" do
    defp streams(opts) do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], opts)
      program = Daemon.program_os_pid(daemon)
      wait_until(fn -> name(program) == "sleep" end)
      links = for fd <- 1..2, do: File.read_link!("/proc/#{program}/fd/#{fd}")
      GenServer.stop(daemon)

      Enum.map(
        links,
        &if(String.starts_with?(&1, "pipe:") and &1 not in [own(1), own(2)], do: :pipe, else: &1)
      )
    end

    test "captures what is used" do
      stderr = own(2)
      assert streams([]) == ["/dev/null", stderr]
      assert streams(log_output: :debug) == [:pipe, stderr]
      assert streams(stdout: :capture, stderr: :capture) == [:pipe, :pipe]
      assert streams(stderr: :capture) == ["/dev/null", :pipe]
      assert streams(stdout: :inherit, stderr: :discard) == [own(1), "/dev/null"]
      assert streams(logger_fun: & &1, stdout: :discard, stderr: :capture) == ["/dev/null", :pipe]
    end

    test "has the lines of each stream whole, and counts them" do
      test = self()
      opts = [stdout: :capture, stderr: :capture, logger_fun: &send(test, {:line, &1})]

      script =
        "printf a; printf x >&2; printf b; printf y >&2; echo; echo >&2; printf c; printf z >&2"

      {:ok, daemon} = Daemon.start_link("sh", ["-c", script <> "; exec sleep 1000"], opts)
      for line <- ["ab", "xy"], do: assert_receive({:line, ^line})
      wait_until(fn -> Daemon.statistics(daemon).output_byte_count == 8 end)
      statistics = Daemon.statistics(daemon)
      assert %{stdout_byte_count: 4, stderr_byte_count: 4, line_count: 2} = statistics
      GenServer.stop(daemon)
      for line <- ["c", "z"], do: assert_receive({:line, ^line})
    end
  end

  describe "the options" do
    test "have the old ones as other names" do
      for {context, opts, expected} <- [
            {:cmd, [], {:capture, :inherit}},
            {:run, [stderr: :capture], {:capture, :capture}},
            {:cmd, [stderr_to_stdout: true], {:capture, :to_stdout}},
            {:cmd, [use_stdio: false], {:inherit, :inherit}},
            {:cmd, [capture_stderr_only: true], {:discard, :capture}},
            {:cmd, [capture_stderr_only: true, stderr_to_stdout: true], {:discard, :capture}},
            # The same twice is no contradiction.
            {:cmd, [stderr_to_stdout: true, stderr: :to_stdout], {:capture, :to_stdout}},
            {:cmd, [use_stdio: false, stdout: :inherit], {:inherit, :inherit}},
            {:cmd, [capture_stderr_only: true, stdout: :discard], {:discard, :capture}},
            {:daemon, [], {:discard, :inherit}},
            {:daemon, [log_output: :info], {:capture, :inherit}},
            {:daemon, [capture_stderr_only: true], {:discard, :capture}},
            {:daemon, [capture_stderr_only: true, log_output: :info], {:discard, :capture}},
            {:daemon, [stderr: :capture, capture_stderr_only: true], {:discard, :capture}}
          ] do
        options = valid(context, opts)
        assert {options.stdout, options.stderr} == expected
        captured? = :capture in [options.stdout, options.stderr]
        assert options.capture_output == captured?
      end
    end

    test "are refused when they contradict each other" do
      for {context, opts, named} <- [
            {:cmd, [stderr: :discard, stderr_to_stdout: true], [":discard", "stderr_to_stdout"]},
            {:run, [stderr: :capture, stderr_to_stdout: true], [":capture", "stderr_to_stdout"]},
            {:run, [stderr: :capture, capture_stderr_only: true],
             [":stderr", "capture_stderr_only"]},
            {:cmd, [stderr: :discard, capture_stderr_only: true],
             [":stderr", "capture_stderr_only"]},
            {:daemon, [stderr: :discard, capture_stderr_only: true],
             [":discard", "capture_stderr_only"]},
            {:cmd, [stdout: :capture, capture_stderr_only: true],
             ["stdout: :capture", "capture_stderr_only"]},
            {:cmd, [stdout: :capture, use_stdio: false], ["stdout: :capture", "use_stdio"]},
            {:cmd, [stdout: {:file, "x"}, use_stdio: false], ["stdout: {:file", "use_stdio"]},
            {:cmd, [stderr: :to_stdout, use_stdio: false], ["stderr: :to_stdout", "use_stdio"]},
            {:cmd, [stderr_to_stdout: true, use_stdio: false], ["stderr_to_stdout", "use_stdio"]},
            {:daemon, [stdout: :discard, log_output: :info], ["log_output", "stdout: :discard"]},
            {:daemon, [stdout: {:file, "x"}, logger_fun: & &1], ["logger_fun", "stdout: {:file"]},
            {:cmd, [stdout: {:file, "same"}, stderr: {:file, "same", append: true}],
             ["\"same\"", ":stdout", ":stderr", ":to_stdout"]}
          ] do
        error = assert_raise ArgumentError, fn -> valid(context, opts) end
        for name <- named, do: assert(error.message =~ name)
      end
    end

    test "are refused when they have no such value" do
      for stream <- [:stdout, :stderr] do
        refuses(:run, stream, [
          nil,
          :file,
          true,
          "file",
          :null,
          {:file, ""},
          {:file, "a\0"},
          {:file, 1},
          {:files, "a"},
          {:file, "a", %{}},
          {:file, "a", [:append]}
        ])

        assert refused(:run, stream, {:file, "a", apend: true}) =~ "Did you mean :append?"
        assert refused(:run, stream, {:file, "a", append: 1}) =~ ":append takes true or false"
        assert refused(:run, stream, {:file, "a", mode: 0o1777}) =~ ":mode takes permission bits"
      end

      refuses(:run, :stdout, [:to_stdout])
    end
  end
end
