# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.InputTest do
  # The option :input of cmd/3 and run/3.
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Daemon
  alias MuonTrap.Test.Callback

  @moduletag :tmp_dir

  # What may be under way to a program, and what a pipe holds: pipe(7).
  @in_flight 262_144
  @pipe 65_536

  # Elements for ever. `after_fun` is sent to the test, like the number of elements.
  defp endless(element, after_fun \\ :after) do
    test = self()

    Stream.resource(
      fn -> 0 end,
      fn count ->
        send(test, {:pulled, count + 1})
        {[element], count + 1}
      end,
      fn _count -> send(test, after_fun) end
    )
  end

  defp pulled(count \\ 0) do
    receive do
      {:pulled, count} -> pulled(count)
    after
      0 -> count
    end
  end

  describe "iodata" do
    test "is what the program reads, to its end" do
      for input <- [
            "hello",
            "",
            [],
            ["a", ?b, ["c", [[], "d"]] | "e"],
            [1, 2, 255],
            <<0, 255, 10, 13>>,
            "é\n"
          ] do
        assert MuonTrap.cmd("cat", [], input: input) == {IO.iodata_to_binary(input), 0}
      end
    end

    test "may be larger than all that holds it on its way" do
      bytes = :rand.bytes(5_000_000)
      result = MuonTrap.run("cat", [], input: bytes)
      assert result.output == bytes
      assert result.input_bytes == 5_000_000
      parts = for <<part::binary-size(1000) <- bytes>>, do: [part]
      assert MuonTrap.cmd("cat", [], input: parts) == {bytes, 0}
    end
  end

  describe "an Enumerable" do
    test "gives one element after the other", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      File.write!(file, "one\ntwo\nthree")

      for {enumerable, read} <- [
            {Stream.map(1..3, &"#{&1}\n"), "1\n2\n3\n"},
            {Stream.map(1..3, &[?a, ["#{&1}" | "x"]]), "a1xa2xa3x"},
            {Stream.map([], & &1), ""},
            {Stream.map(["", [], ""], & &1), ""},
            {fn acc, fun -> Enumerable.reduce(["a", "b"], acc, fun) end, "ab"},
            {MapSet.new(["a"]), "a"},
            {File.stream!(file), "one\ntwo\nthree"},
            {Stream.concat(["a"], Stream.take(Stream.cycle(["b", "c"]), 3)), "abcb"}
          ] do
        assert MuonTrap.cmd("cat", [], input: enumerable) == {read, 0}
      end
    end

    test "is enumerated in the calling process" do
      caller = self()
      input = Stream.map([1], fn _ -> inspect(self()) end)
      assert MuonTrap.cmd("cat", [], input: input) == {inspect(caller), 0}
    end

    test "is not enumerated when the program cannot be started" do
      input = endless("x")
      assert_raise ErlangError, fn -> MuonTrap.cmd("no-such-program", [], input: input) end
      assert_raise MuonTrap.Error, fn -> MuonTrap.cmd("true", [], input: input, cd: "/no") end
      assert mailbox() == []
    end

    test "has each element sent before it is asked for the next", %{tmp_dir: directory} do
      seen = Path.join(directory, "seen")
      # The program has the first element when this is asked for the second.
      input = Stream.map(1..2, fn n -> n == 1 or wait_until(fn -> File.exists?(seen) end) end)
      input = Stream.map(input, fn _ -> "line\n" end)
      script = "read line; : > \"$SEEN\"; cat"
      opts = [input: input, env: [{"SEEN", seen}]]
      assert MuonTrap.cmd("sh", ["-c", script], opts) == {"line\n", 0}
    end

    test "has output collected between its elements" do
      test = self()
      collector = %Callback{fun: fn chunk -> send(test, {:output, chunk}) end}

      input =
        Stream.map(["a", "b", "c"], fn letter ->
          # More than the time in which output is not looked for.
          Process.sleep(5)
          send(test, {:input, letter})
          letter
        end)

      assert MuonTrap.cmd("cat", [], input: input, into: collector) == {:done, 0}
      assert [{:input, "a"}, {:input, "b"} | _] = mailbox()
      output = for {:output, chunk} <- mailbox(), do: chunk
      assert Enum.join(output) == "abc"
    end

    test "may have large elements, which are sent in pieces" do
      bytes = :rand.bytes(3_000_000)
      result = MuonTrap.run("cat", [], input: Stream.map([bytes, "end"], & &1))
      assert result.output == bytes <> "end"
      assert result.input_bytes == 3_000_003
    end

    test "may be a file by lines" do
      file = Path.join(System.tmp_dir!(), marker())
      on_exit(fn -> File.rm(file) end)
      File.write!(file, Enum.map(1..50_000, &"#{&1}\n"))
      assert MuonTrap.cmd("tail", ["-n", "1"], input: File.stream!(file)) == {"50000\n", 0}
    end

    test "that has an element that is no iodata is an error" do
      for bad <- [:atom, 65, {"a"}, ["a", :b], [256], nil] do
        input = Stream.map(["a", bad], & &1)
        marker = marker()
        run = fn -> MuonTrap.cmd("sh", ["-c", "exec cat", marker], input: input) end
        error = catch_error(run.())
        assert %ArgumentError{message: "the :input of MuonTrap.cmd/3 " <> _} = error
        refute error.message =~ "\"a\""
        assert marked(marker) == []
      end
    end
  end

  describe "flow control" do
    test "has an Enumerable wait for a program that does not read" do
      element = String.duplicate("x", 1000)
      # So long that the program has been started for a while.
      opts = [input: endless(element), timeout: 3000]
      assert {"", :timeout} = MuonTrap.cmd("sleep", ["1000"], opts)
      assert_received :after
      count = pulled() * 1000
      assert count > @pipe and count <= @in_flight + @pipe + 1000
    end

    test "has no deadlock, whoever writes or reads first" do
      size = 3_000_000
      input = Stream.map(1..300, fn _ -> String.duplicate("x", 10_000) end)

      for script <- [
            "cat",
            "head -c #{size} /dev/zero; exec cat",
            "cat > \"$0\"; exec cat \"$0\"",
            "head -c 1000000; head -c 1000000 /dev/zero; exec cat",
            "exec 3<&0; cat <&3 & head -c #{size} /dev/zero; wait"
          ] do
        file = Path.join(System.tmp_dir!(), marker())
        {output, 0} = MuonTrap.cmd("sh", ["-c", script, file], input: input, stdio_window: 5000)
        assert output |> String.replace("\0", "") |> byte_size() == size
        File.rm(file)
      end
    end
  end

  describe "a program that stops reading" do
    test "ends the input without an error" do
      result = MuonTrap.run("head", ["-c", "10"], input: endless("0123456789abcdef"))
      assert {result.output, result.exit_status} == {"0123456789", 0}
      assert result.input_bytes in 16..(@in_flight + @pipe)
      assert_received :after

      result = MuonTrap.run("head", ["-c", "10"], input: Stream.cycle(["x"]))
      assert {result.output, result.exit_status} == {"xxxxxxxxxx", 0}

      bytes = String.duplicate("y", 10_000_000)
      result = MuonTrap.run("head", ["-c", "10"], input: bytes)
      assert {result.output, result.exit_status} == {"yyyyyyyyyy", 0}
      assert result.input_bytes <= @in_flight + @pipe
    end

    test "and goes on is waited for" do
      script = "exec <&-; echo closed; until [ -e \"$0\" ]; do sleep 0.01; done; exit 3"
      file = Path.join(System.tmp_dir!(), marker())
      on_exit(fn -> File.rm(file) end)
      input = Stream.resource(fn -> nil end, &{["x"], &1}, fn _ -> File.write!(file, "") end)
      result = MuonTrap.run("sh", ["-c", script, file], input: input)
      assert {result.output, result.exit_status} == {"closed\n", 3}
    end

    test "because it is gone ends the input, too" do
      assert {"", 2} = MuonTrap.cmd("sh", ["-c", "exit 2"], input: endless("x"))
      # Unless it had gone before the first element was asked for.
      if pulled() > 0, do: assert_received(:after)
      assert {"", 137} = MuonTrap.cmd("sh", ["-c", "kill -KILL $$"], input: Stream.cycle(["x"]))
    end
  end

  describe "other kinds of input" do
    test ":null is /dev/null" do
      assert MuonTrap.cmd("readlink", ["/proc/self/fd/0"], input: :null) == {"/dev/null\n", 0}
      assert MuonTrap.run("cat", [], input: :null).input_bytes == 0
    end

    test ":open is a pipe that nothing is written to, and the default" do
      for opts <- [[input: :open], []] do
        assert {"", :timeout} = MuonTrap.cmd("cat", [], [timeout: 100] ++ opts)
      end
    end
  end

  describe "a file" do
    test "is what the program reads", %{tmp_dir: directory} do
      path = Path.join(directory, "file")
      File.write!(path, "content")
      result = MuonTrap.run("cat", [], input: {:file, path})
      assert {result.output, result.exit_status, result.input_bytes} == {"content", 0, 0}
      opts = [input: {:file, path}]
      assert MuonTrap.cmd("readlink", ["/proc/self/fd/0"], opts) == {path <> "\n", 0}
      # Nothing else of it is open in the program.
      assert {"0\n1\n2\n3\n", 0} = MuonTrap.cmd("ls", ["/proc/self/fd"], opts)
    end

    test "may be relative to :cd", %{tmp_dir: directory} do
      File.write!(Path.join(directory, "file"), "content")
      opts = [input: {:file, "file"}, cd: directory]
      assert MuonTrap.cmd("cat", [], opts) == {"content", 0}
    end

    test "that cannot be opened is an error" do
      error = catch_error(MuonTrap.cmd("cat", [], input: {:file, "/no/such/file"}))
      assert %MuonTrap.Error{step: :input, path: "/no/such/file", errno: :enoent} = error
      assert Exception.message(error) =~ "\"/no/such/file\""
      assert {:error, ^error} = Daemon.start_link("cat", [], input: {:file, "/no/such/file"})
    end

    @tag skip: if(not root?(), do: "needs root")
    test "is opened as the program's user", %{tmp_dir: directory} do
      path = Path.join(directory, "file")
      File.write!(path, "content")
      File.chmod!(path, 0o600)
      error = catch_error(MuonTrap.cmd("cat", [], input: {:file, path}, uid: "nobody"))
      assert %MuonTrap.Error{step: :input, path: ^path, errno: :eacces} = error
    end

    test "may take its time to be opened", %{tmp_dir: directory} do
      fifo = Path.join(directory, "fifo")
      {"", 0} = System.cmd("mkfifo", [fifo])
      assert {"", :timeout} = MuonTrap.cmd("cat", [], input: {:file, fifo}, timeout: 200)
      task = Task.async(fn -> MuonTrap.cmd("cat", [], input: {:file, fifo}) end)
      # The BEAM opens no FIFOs.
      System.cmd("sh", ["-c", "printf content > '#{fifo}'"])
      assert Task.await(task, :infinity) == {"content", 0}
    end

    test "may be a daemon's", %{tmp_dir: directory} do
      path = Path.join(directory, "file")
      File.write!(path, "line\n")
      test = self()
      opts = [input: {:file, path}, logger_fun: &send(test, {:line, &1})]
      {:ok, _daemon} = Daemon.start_link("cat", [], opts)
      assert_receive {:line, "line"}
    end
  end

  describe "the caller" do
    test "finds its mailbox as it was" do
      Process.flag(:trap_exit, true)
      send(self(), :mine)
      input = Stream.map(1..1000, fn n -> String.duplicate("x", n) end)
      for _ <- 1..3, do: MuonTrap.cmd("cat", [], input: input)
      MuonTrap.cmd("head", ["-c", "1"], input: Stream.cycle(["x"]))
      catch_throw(MuonTrap.cmd("cat", [], input: Stream.map([1], fn _ -> throw(:no) end)))
      assert mailbox() == [:mine]
    end

    test "may have a crowded one" do
      for n <- 1..1000, do: send(self(), n)
      bytes = :rand.bytes(1_000_000)
      input = Stream.map(0..99, &binary_part(bytes, &1 * 10_000, 10_000))
      assert MuonTrap.cmd("cat", [], input: input) == {bytes, 0}
      assert length(mailbox()) == 1000
    end
  end

  describe "the option" do
    test "is refused when it can be no input" do
      for bad <- [:nul, 1, nil, {:file, ""}, {:file, "a\0b"}, {:file, 1}, %{}, fn -> "x" end] do
        assert_raise ArgumentError, ~r/\Ainvalid option :input with value /, fn ->
          MuonTrap.cmd("true", [], input: bad)
        end
      end

      for bad <- [["a", :b], [256], ["a" | 1]] do
        assert_raise ArgumentError, ~r/expected iodata, /, fn ->
          MuonTrap.cmd("true", [], input: bad)
        end
      end
    end

    test "is refused beside use_stdio: false" do
      for input <- ["x", :null, {:file, "/dev/null"}] do
        assert_raise ArgumentError, ~r/:input/, fn ->
          MuonTrap.cmd("true", [], input: input, use_stdio: false)
        end
      end
    end

    test "of a daemon is no data" do
      for input <- ["x", Stream.cycle(["x"])] do
        error = catch_error(Daemon.start_link("cat", [], input: input))
        assert %ArgumentError{message: message} = error
        assert message =~ "MuonTrap.Process"
      end

      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], input: :null)
      program = Daemon.program_os_pid(daemon)
      assert File.read_link!("/proc/#{program}/fd/0") == "/dev/null"
      GenServer.stop(daemon)
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], input: :open)
      program = Daemon.program_os_pid(daemon)
      assert "pipe:" <> _ = File.read_link!("/proc/#{program}/fd/0")
      GenServer.stop(daemon)
    end
  end
end
