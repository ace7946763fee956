# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.StreamTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.ExitError

  # What a program may have written that nobody has consumed: in the window, in the session and in the pipe, which
  # are no larger than this.
  @held 3 * 262_144

  defp sh(script, opts \\ []), do: MuonTrap.stream!("sh", ["-c", script], opts)

  # How often a process has gone to sleep, if it sleeps.
  defp asleep(pid) do
    status = File.read!("/proc/#{pid}/status")

    with [_, count] <- Regex.run(~r/^State:\tS .*^voluntary_ctxt_switches:\t(\d+)/ms, status),
         do: count
  end

  # A program that counts up for ever, and its background child.
  defp count(marker), do: sh("sleep 1000 & exec seq 1 1000000000", env: [{"MARKER", marker}])

  describe "stream!/3" do
    test "gives the output in chunks" do
      assert Enum.join(sh("echo hello; echo world")) == "hello\nworld\n"
      assert Enum.to_list(sh("exit 0")) == []
      bytes = MuonTrap.stream!("seq", ["1", "100000"]) |> Enum.join()
      assert bytes == Enum.map_join(1..100_000, &"#{&1}\n")
    end

    test "gives chunks of at most :max_chunk_bytes" do
      random = MuonTrap.stream!("cat", ["/dev/urandom"], max_chunk_bytes: 100)
      chunks = Enum.take(random, 5)
      assert Enum.all?(chunks, &(byte_size(&1) <= 100))
      # The first frame has more than these.
      assert chunks |> Enum.join() |> byte_size() == 500

      chunks = MuonTrap.stream!("seq", ["1", "1000"], max_chunk_bytes: 7)
      assert Enum.join(chunks) == Enum.map_join(1..1000, &"#{&1}\n")
      assert Enum.all?(chunks, &(byte_size(&1) in 1..7))

      opts = [stdio_window: 1_000_000]
      chunks = Enum.to_list(MuonTrap.stream!("head", ["-c", "500000", "/dev/zero"], opts))
      assert Enum.all?(chunks, &(byte_size(&1) <= 65_536))
      assert IO.iodata_length(chunks) == 500_000
    end

    test "gives lines with :lines" do
      for lines <- [1024, true] do
        assert Enum.to_list(sh("printf 'one\\r\\ntwo\\n\\nlast'", lines: lines)) ==
                 ["one", "two", "", "last"]
      end

      long = String.duplicate("x", 200_000)
      opts = [lines: true, input: [long, "\n", long]]
      assert Enum.to_list(MuonTrap.stream!("cat", [], opts)) == [long, long]
    end

    test "starts the program with each enumeration, and not before" do
      file = Path.join(System.tmp_dir!(), marker())
      on_exit(fn -> File.rm(file) end)
      stream = sh("echo line >> \"$FILE\"; cat \"$FILE\"", env: [{"FILE", file}])
      refute File.exists?(file)
      assert Enum.take(stream, 0) == []
      assert Enum.to_list(Stream.zip([], stream)) == []
      refute File.exists?(file)
      assert Enum.join(stream) == "line\n"
      assert Enum.join(stream) == "line\nline\n"
    end

    test "runs no faster than it is consumed" do
      marker = marker()

      for _chunk <- Stream.take(sh("exec yes", env: [{"MARKER", marker}]), 2) do
        [program] = marked(marker)
        # It waits for somebody to read what it writes.
        wait_until(fn -> asleep(program) == asleep(program) and asleep(program) != nil end)
        [_, written] = Regex.run(~r/^wchar: (\d+)/m, File.read!("/proc/#{program}/io"))
        assert String.to_integer(written) <= @held
      end
    end

    test "raises for a status that is no success" do
      error = catch_error(Enum.to_list(sh("echo out; exit 3")))
      assert %ExitError{command: "sh", exit_status: 3, signal: nil} = error
      assert error.args == ["-c", "echo out; exit 3"]
      assert Exception.message(error) == "sh exited with status 3"

      error = catch_error(Enum.to_list(sh("kill -KILL $$")))
      assert %ExitError{exit_status: 137, signal: 9} = error
      assert Exception.message(error) == "sh exited with status 137 (SIGKILL)"

      # All that it wrote came before that.
      test = self()
      catch_error(Enum.each(sh("seq 1 10000; exit 1"), &send(test, {:chunk, &1})))
      chunks = for {:chunk, chunk} <- mailbox(), do: chunk
      assert Enum.join(chunks) == Enum.map_join(1..10_000, &"#{&1}\n")
    end

    test "takes other statuses for success" do
      opts = [ok_statuses: [0, 1]]
      assert Enum.to_list(sh("exit 1", opts)) == []
      assert Enum.to_list(sh("exit 0", opts)) == []
      assert %ExitError{exit_status: 2} = catch_error(Enum.to_list(sh("exit 2", opts)))
      assert %ExitError{exit_status: 0} = catch_error(Enum.to_list(sh("", ok_statuses: [7])))
      assert Enum.to_list(sh("kill -TERM $$", ok_statuses: [143])) == []
    end

    test "raises as cmd/3 does when the program cannot be started" do
      stream = MuonTrap.stream!("no-such-program", [])
      assert catch_error(Enum.to_list(stream)) == :enoent
      stream = MuonTrap.stream!("true", [], cd: "/no/such/directory")
      assert %MuonTrap.Error{step: :cd} = catch_error(Enum.to_list(stream))
      assert mailbox() == []
    end

    test "raises when the helper is killed" do
      error = catch_error(Enum.to_list(sh("echo; kill -KILL $PPID; exec sleep 1000")))
      assert %MuonTrap.Error{step: :helper} = error
    end
  end

  describe "stream/3" do
    test "ends with the exit status, and never raises for one" do
      stream = &Enum.to_list(MuonTrap.stream("sh", ["-c", &1]))
      assert stream.("echo hello") == ["hello\n", {:exit, 0}]
      assert stream.("exit 3") == [{:exit, 3}]
      assert stream.("kill -KILL $$") == [{:exit, 137}]
    end

    test "ends with :timeout when the time is up" do
      stream = MuonTrap.stream("sh", ["-c", "echo hello; exec sleep 1000"], timeout: 3000)
      assert Enum.to_list(stream) == ["hello\n", {:exit, :timeout}]
      # For each enumeration anew.
      assert Enum.to_list(stream) == ["hello\n", {:exit, :timeout}]
      # Before the program can be started.
      assert {:exit, :timeout} in Enum.to_list(MuonTrap.stream("yes", [], timeout: 1))
    end

    test "may be halted by its last element" do
      stream = MuonTrap.stream("sh", ["-c", "echo a; exit 2"])

      assert Enum.reduce_while(stream, nil, fn
               {:exit, status}, _acc -> {:halt, status}
               _chunk, acc -> {:cont, acc}
             end) == 2
    end
  end

  test "the timeout of stream!/3 is an error, unless it is expected" do
    stream = &sh("echo hello; exec sleep 1000", [timeout: 500] ++ &1)
    error = catch_error(Enum.to_list(stream.([])))
    assert %ExitError{exit_status: :timeout} = error
    assert Exception.message(error) == "sh was stopped because of its :timeout"
    assert Enum.to_list(stream.(ok_statuses: [:timeout])) in [["hello\n"], []]
  end

  describe "a stream that is not consumed to its end" do
    setup do
      marker = marker()
      on_exit(fn -> kill_marked(marker) end)
      [marker: marker]
    end

    test "has stopped its program when it returns", %{marker: marker} do
      assert [<<"1\n2\n", _rest::binary>>] = Enum.take(count(marker), 1)
      assert marked(marker) == []
      assert mailbox() == []
    end

    test "has stopped its program when the consumer fails", %{marker: marker} do
      for fail <- [fn -> raise "no" end, fn -> throw(:no) end, fn -> exit(:no) end] do
        try do
          Enum.each(count(marker), fn _ -> fail.() end)
        catch
          kind, reason -> send(self(), {kind, reason})
        end

        assert marked(marker) == []
      end

      assert [{:error, %RuntimeError{message: "no"}}, {:throw, :no}, {:exit, :no}] = mailbox()
    end

    test "has its program stopped when the consumer dies", %{marker: marker} do
      test = self()

      {consumer, ref} =
        spawn_monitor(fn ->
          Enum.each(count(marker), fn _chunk ->
            send(test, :consuming)
            receive(do: (:never -> :ok))
          end)
        end)

      assert_receive :consuming
      Process.exit(consumer, :kill)
      assert_receive {:DOWN, ^ref, :process, ^consumer, :killed}
      wait_until(fn -> marked(marker) == [] end)
    end

    test "may have input that is not read to its end", %{marker: marker} do
      test = self()
      input = Stream.resource(fn -> 1 end, &{["#{&1}\n"], &1 + 1}, fn _ -> send(test, :after) end)
      opts = [input: input, env: [{"MARKER", marker}]]
      assert [_chunk] = Enum.take(MuonTrap.stream!("cat", [], opts), 1)
      assert marked(marker) == []
      assert_received :after
      assert Enum.join(MuonTrap.stream!("head", ["-c", "4"], opts)) == "1\n2\n"
      assert_received :after
    end
  end

  describe "stderr: :capture" do
    test "tells the streams apart" do
      elements = Enum.to_list(sh("echo out; echo err >&2", stderr: :capture))
      assert Enum.sort(elements) == [{:stderr, "err\n"}, {:stdout, "out\n"}]
    end

    test "keeps the lines of each" do
      script = "printf 'o1\no2'; printf 'e1\ne2' >&2; exit 3"
      stream = MuonTrap.stream("sh", ["-c", script], stderr: :capture, lines: true)
      elements = Enum.to_list(stream)
      assert for({:stdout, line} <- elements, do: line) == ["o1", "o2"]
      assert for({:stderr, line} <- elements, do: line) == ["e1", "e2"]
      assert List.last(elements) == {:exit, 3}
      assert length(elements) == 5
    end

    test "splits both into chunks" do
      script = "head -c 1000 /dev/zero; head -c 1000 /dev/zero >&2"
      elements = Enum.to_list(sh(script, stderr: :capture, max_chunk_bytes: 100))
      assert Enum.all?(elements, fn {_stream, chunk} -> byte_size(chunk) <= 100 end)

      for stream <- [:stdout, :stderr] do
        assert IO.iodata_length(for {^stream, chunk} <- elements, do: chunk) == 1000
      end
    end

    test "has all lines of both" do
      script = "for i in $(seq 1000); do echo o$i; echo e$i >&2; done"
      elements = Enum.to_list(sh(script, stderr: :capture, lines: true))
      assert for({:stdout, line} <- elements, do: line) == Enum.map(1..1000, &"o#{&1}")
      assert for({:stderr, line} <- elements, do: line) == Enum.map(1..1000, &"e#{&1}")
    end

    test "has the end of stderr in the error" do
      error = catch_error(Enum.to_list(sh("echo what is wrong >&2; exit 1", stderr: :capture)))
      assert %ExitError{stderr: "what is wrong\n"} = error

      assert Exception.message(error) ==
               "sh exited with status 1. The end of its stderr:\n\nwhat is wrong"

      script = "head -c 10000 /dev/zero >&2; seq 1000 >&2; exit 1"
      error = catch_error(Enum.to_list(sh(script, stderr: :capture)))
      assert byte_size(error.stderr) == 4096
      assert String.ends_with?(error.stderr, "\n999\n1000\n")

      # Otherwise it is not known.
      for opts <- [[], [stderr: :to_stdout], [stderr: :discard]] do
        assert %ExitError{stderr: nil} = catch_error(Enum.to_list(sh("exit 1", opts)))
      end
    end
  end

  test "stderr: :to_stdout keeps the order of the program" do
    script = "for i in $(seq 100); do echo o$i; echo e$i >&2; done"
    lines = Enum.to_list(sh(script, stderr: :to_stdout, lines: true))
    assert lines == Enum.flat_map(1..100, &["o#{&1}", "e#{&1}"])
  end

  test "output that goes elsewhere is not in the stream" do
    assert Enum.to_list(MuonTrap.stream("echo", ["hi"], stdout: :discard)) == [{:exit, 0}]
    stream = MuonTrap.stream("sh", ["-c", "echo out; echo err >&2"], stderr: :discard)
    assert Enum.to_list(stream) == ["out\n", {:exit, 0}]
  end

  describe "input" do
    test "is sent while output is consumed" do
      bytes = :rand.bytes(3_000_000)
      chunks = Stream.map(0..299, &binary_part(bytes, &1 * 10_000, 10_000))
      assert Enum.join(MuonTrap.stream!("cat", [], input: chunks)) == bytes
    end

    test "may be another stream" do
      seq = MuonTrap.stream!("seq", ["1", "300000"])
      gzip = MuonTrap.stream!("gzip", ["-c"], input: seq)
      gunzip = MuonTrap.stream!("gunzip", ["-c"], input: gzip)
      assert MuonTrap.cmd("tail", ["-n", "1"], input: gunzip) == {"300000\n", 0}
      assert Enum.take(MuonTrap.stream!("head", ["-n", "1"], input: gunzip), 1) == ["1\n"]
    end

    test "that fails is an error of the stream" do
      marker = marker()
      failing = Stream.map(1..3, fn n -> if n == 3, do: throw(:no), else: "x\n" end)
      opts = [input: failing, env: [{"MARKER", marker}]]
      assert catch_throw(Enum.to_list(MuonTrap.stream!("cat", [], opts))) == :no
      assert marked(marker) == []

      # A stream as input fails as it does otherwise.
      opts = [input: sh("echo x; exit 9"), env: [{"MARKER", marker}]]
      assert %ExitError{exit_status: 9} = catch_error(Enum.to_list(sh("exec cat", opts)))
      assert marked(marker) == []
    end
  end

  describe "a stream with" do
    test "Enum.count/1, member?/2 and slice/2" do
      lines = MuonTrap.stream!("seq", ["1", "1000"], lines: true)
      assert Enum.count(lines) == 1000
      assert Enum.member?(lines, "500")
      refute Enum.member?(lines, "1001")
      assert Enum.slice(lines, 10, 3) == ["11", "12", "13"]
      assert Enum.at(lines, 999) == "1000"
      assert Enum.empty?(sh("exit 0"))
    end

    test "functions of Stream" do
      marker = marker()
      numbers = fn -> Stream.flat_map(count(marker), &String.split/1) end
      assert Enum.take(Stream.zip(numbers.(), [:a, :b]), 5) == [{"1", :a}, {"2", :b}]
      assert Enum.zip([1, 2], numbers.()) == [{1, "1"}, {2, "2"}]
      assert Stream.zip(numbers.(), numbers.()) |> Enum.take(2) == [{"1", "1"}, {"2", "2"}]
      assert Stream.chunk_every(numbers.(), 2) |> Enum.take(2) == [["1", "2"], ["3", "4"]]
      inner = Stream.flat_map(1..3, fn n -> Stream.take(numbers.(), n) end)
      assert Enum.to_list(inner) == ~w(1 1 2 1 2 3)
      assert Enum.to_list(Stream.take_while(numbers.(), &(&1 != "4"))) == ~w(1 2 3)
      assert marked(marker) == []
      assert mailbox() == []
    end

    test "Task.async_stream/3" do
      lines = MuonTrap.stream!("seq", ["1", "20"], lines: true)
      run = fn line -> Enum.join(MuonTrap.stream!("echo", [line])) end
      results = Task.async_stream(lines, run, max_concurrency: 4, timeout: 60_000)
      assert Enum.map(results, &elem(&1, 1)) == Enum.map(1..20, &"#{&1}\n")
    end

    test "Enum.into/2" do
      file = Path.join(System.tmp_dir!(), marker())
      on_exit(fn -> File.rm(file) end)
      Enum.into(MuonTrap.stream!("seq", ["1", "1000"]), File.stream!(file))
      assert File.read!(file) == Enum.map_join(1..1000, &"#{&1}\n")
    end
  end

  test "the mailbox of the consumer is left as it was, and of no use to the stream" do
    Process.flag(:trap_exit, true)
    send(self(), :mine)
    Enum.to_list(sh("echo hello"))
    Enum.take(sh("exec yes"), 3)
    catch_error(Enum.to_list(sh("exit 1")))
    assert mailbox() == [:mine]

    # It may be emptied between two elements.
    count = Enum.count(sh("exec head -c 100000 /dev/zero"), fn _chunk -> flush() end)
    assert count > 1
  end

  defp flush do
    receive do
      _message -> flush()
    after
      0 -> true
    end
  end

  test "a crowded mailbox" do
    for n <- 1..1000, do: send(self(), n)
    lines = MuonTrap.stream!("seq", ["1", "100000"], lines: true)
    assert Enum.at(lines, -1) == "100000"
  end

  test "many at once" do
    streams = fn -> MuonTrap.stream!("head", ["-c", "100000", "/dev/zero"]) end

    1..40
    |> Task.async_stream(fn _ -> IO.iodata_length(Enum.to_list(streams.())) end,
      max_concurrency: 20,
      timeout: 60_000
    )
    |> Enum.each(&assert &1 == {:ok, 100_000})
  end

  describe "options" do
    test "are checked when the stream is made" do
      for {opts, message} <- [
            {[max_chunk_bytes: 0], ~r/:max_chunk_bytes with value 0: expected .* 1 or more/},
            {[max_chunk_bytes: :infinity], ~r/:max_chunk_bytes/},
            {[ok_statuses: 0], ~r/:ok_statuses with value 0: expected a list/},
            {[ok_statuses: [256]], ~r/:ok_statuses/},
            {[lines: false], ~r/:lines/},
            {[into: []], ~r/:into .*Enum.into/},
            {[use_stdio: false], ~r/:use_stdio/},
            {[nonsense: 1], ~r/MuonTrap.stream!\/3 has no such option/}
          ] do
        assert_raise ArgumentError, message, fn -> sh("exit 0", opts) end
      end

      assert_raise ArgumentError, ~r/only MuonTrap.stream!\/3 has it/, fn ->
        MuonTrap.stream("true", [], ok_statuses: [0])
      end

      assert_raise ArgumentError, fn -> MuonTrap.stream!(true, []) end
    end
  end
end
