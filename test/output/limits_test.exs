# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OutputLimitsTest do
  # The options :max_output_bytes and :idle_timeout.
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Options, OS}

  alias MuonTrap.{Deadline, Execution, ExitError, Options}
  alias MuonTrap.Test.Callback

  # In milliseconds: longer than any program here takes to start or to write more, also on a busy machine.
  @long 3000

  @numbers Enum.map_join(1..10_000, &"#{&1}\n")
  @size byte_size(@numbers)

  defp run(script, opts), do: MuonTrap.run("sh", ["-c", script], opts)

  # An execution of a script that has written "begun". Only then a test lets a limit be reached, so that it does not
  # depend on how long the script takes to get there.
  defp until_begun(script, opts \\ [idle_timeout: 100_000]) do
    {:ok, execution} = Execution.start(Options.new(:run, "sh", ["-c", script], opts), :infinity)
    {{:output, :stdout, "begun\n"}, execution} = Execution.next(execution)
    execution
  end

  # Its output from then on, and the report of its end.
  defp rest(execution, output \\ "") do
    case Execution.next(execution) do
      {{:output, :stdout, data}, execution} -> rest(execution, output <> data)
      {{:ended, report}, _execution} -> {output, report}
    end
  end

  describe "max_output_bytes" do
    test "is no limit that output reaches, but one that it exceeds" do
      for max <- [@size, @size + 1, :infinity] do
        assert MuonTrap.cmd("seq", ["10000"], max_output_bytes: max) == {@numbers, 0}
      end

      expected = {binary_part(@numbers, 0, @size - 1), :max_output}
      assert MuonTrap.cmd("seq", ["10000"], max_output_bytes: @size - 1) == expected
      assert MuonTrap.cmd("true", [], max_output_bytes: 0) == {"", 0}
    end

    test "is exact, whatever the window" do
      for max <- [0, 1, 999, 1000, 1001, 10_240, 48_000], window <- [1000, 10_240, 1_000_000] do
        opts = [max_output_bytes: max, stdio_window: window]

        assert MuonTrap.cmd("seq", ["10000"], opts) ==
                 {binary_part(@numbers, 0, max), :max_output}
      end

      opts = [max_output_bytes: 3, stdio_window: 1]
      assert MuonTrap.cmd("yes", [], opts) == {"y\ny", :max_output}
    end

    test "stops a program that writes for ever, with all that it has started" do
      marker = marker()
      script = "sleep 1000 & setsid sleep 1000 & exec yes"
      result = run(script, max_output_bytes: 10, env: [{"MARKER", marker}])
      assert {result.output, result.exit_status} == {"y\ny\ny\ny\ny\n", :max_output}
      assert result.signal == 15
      assert marked(marker) == []
    end

    test "does not wait for a program that ignores the stop signal and goes on writing" do
      script = "trap '' TERM; while :; do echo more; done"
      opts = [max_output_bytes: 5, delay_to_sigkill: 100]
      result = run(script, opts)
      assert {result.output, result.exit_status} == {"more\n", :max_output}
      assert result.sigkill_needed
    end

    test "counts merged streams as one" do
      for opts <- [[stderr: :to_stdout], [stderr_to_stdout: true]] do
        result = run("echo out; echo err >&2; exec yes", [max_output_bytes: 7] ++ opts)
        assert {result.output, result.exit_status} == {"out\nerr", :max_output}
      end
    end

    test "counts both streams when they are apart" do
      for window <- [1, 100, 10_240], max <- [1, 8, 9, 5000] do
        script = "echo out; echo err >&2; yes & exec yes >&2"
        opts = [stderr: :capture, max_output_bytes: max, stdio_window: window]
        result = run(script, opts)
        assert byte_size(result.output) + byte_size(result.stderr) == max
        assert result.exit_status == :max_output
      end

      opts = [stderr: :capture, max_output_bytes: 8]
      result = run("echo out; echo err >&2", opts)
      assert {result.output, result.stderr, result.exit_status} == {"out\n", "err\n", 0}
    end

    test "counts the newlines of lines" do
      lines = &MuonTrap.cmd("seq", ["10000"], max_output_bytes: &1, lines: 100, into: [])
      assert lines.(4) == {["1", "2"], :max_output}
      assert lines.(5) == {["1", "2", "3"], :max_output}
      assert lines.(0) == {[], :max_output}
      {all, 0} = lines.(@size)
      assert length(all) == 10_000
    end

    test "is what a Collectable gets" do
      test = self()
      into = %Callback{fun: &send(test, {:chunk, &1})}
      assert {:done, :max_output} = MuonTrap.cmd("yes", [], into: into, max_output_bytes: 12_345)
      chunks = for {:chunk, chunk} <- mailbox(), do: chunk
      assert IO.iodata_length(chunks) == 12_345
    end

    test "ends input that is sent" do
      test = self()
      input = Stream.resource(fn -> nil end, &{["x"], &1}, fn _ -> send(test, :halted) end)
      opts = [input: input, max_output_bytes: 100]
      assert MuonTrap.cmd("cat", [], opts) == {String.duplicate("x", 100), :max_output}
      assert_received :halted
    end

    test "is exact for a stream" do
      stream = &MuonTrap.stream("seq", ["10000"], [max_output_bytes: &1] ++ &2)

      for max <- [0, 1, 1000, @size - 1] do
        assert {:exit, :max_output} = List.last(Enum.to_list(stream.(max, [])))
        elements = max |> stream.(max_chunk_bytes: 100) |> Enum.drop(-1)
        assert Enum.join(elements) == binary_part(@numbers, 0, max)
      end

      assert stream.(5, lines: true) |> Enum.to_list() == ["1", "2", "3", {:exit, :max_output}]
      assert List.last(Enum.to_list(stream.(@size, []))) == {:exit, 0}
      apart = MuonTrap.stream("yes", [], stderr: :capture, max_output_bytes: 3)
      assert Enum.to_list(apart) == [{:stdout, "y\ny"}, {:exit, :max_output}]
    end

    test "is an error of stream!/3, unless it is expected" do
      stream = &MuonTrap.stream!("yes", [], [max_output_bytes: 4] ++ &1)
      error = assert_raise ExitError, fn -> Enum.to_list(stream.([])) end
      assert error.exit_status == :max_output
      assert Exception.message(error) == "yes was stopped because of its :max_output_bytes"
      assert Enum.to_list(stream.(ok_statuses: [:max_output])) == ["y\ny\n"]
    end

    test "applies to what comes after a timeout, too" do
      script = "trap 'echo bye; exit' TERM; echo begun; sleep 1000 & wait"
      begun = until_begun(script, timeout: 100_000, max_output_bytes: 8)
      assert {"by", %{exit_status: :timeout}} = rest(%{begun | deadline: Deadline.new(0)})
    end
  end

  describe "idle_timeout" do
    test "stops a program that writes nothing for that long" do
      for script <- ["exec sleep 1000", "exec cat"] do
        assert MuonTrap.cmd("sh", ["-c", script], idle_timeout: 50) == {"", :idle_timeout}
      end

      begun = until_begun("sleep 1000 & setsid sleep 1000 & echo begun; wait")
      assert {"", %{exit_status: :idle_timeout, swept: 2}} = rest(%{begun | idle_timeout: 1})
    end

    # A program that writes again and again until after the first deadline would have to do so in time.
    test "begins anew with output, of either stream" do
      opts = [idle_timeout: 100_000, stderr: :capture]
      options = Options.new(:run, "sh", ["-c", "echo out; echo err >&2"], opts)
      {:ok, execution} = Execution.start(options, :infinity)
      events = events(execution)
      assert [:end, :stderr, :stdout] = events |> Enum.map(&elem(&1, 0)) |> Enum.sort()
      assert [first, second, last] = Enum.map(events, &elem(&1, 1))
      assert first < second and second < last
    end

    # Each with the deadline up to which it was waited for.
    defp events(execution) do
      {event, execution} = Execution.next(execution)
      now = System.monotonic_time(:millisecond)
      wait_until(fn -> System.monotonic_time(:millisecond) > now end)

      case event do
        {:output, stream, data} ->
          Execution.ack(execution, byte_size(data))
          [{stream, execution.idle_deadline} | events(execution)]

        {:ended, _report} ->
          [{:end, execution.idle_deadline}]
      end
    end

    test "has the last output in the result" do
      begun = until_begun("trap 'echo bye; exit' TERM; echo begun; sleep 1000 & wait")
      assert {"bye\n", %{exit_status: :idle_timeout}} = rest(%{begun | idle_timeout: 1})
    end

    test "does not count the time that a Collectable takes" do
      into = %Callback{fun: fn _chunk -> if first?(), do: Process.sleep(@long + 100) end}
      opts = [into: into, idle_timeout: @long, stdio_window: 1000]
      assert MuonTrap.cmd("seq", ["10000"], opts) == {:done, 0}
    end

    defp first?, do: Process.put(:seen, true) == nil

    test "is not put off by input that the program reads" do
      opts = [input: Stream.cycle(["x"]), idle_timeout: 200]
      assert MuonTrap.cmd("sh", ["-c", "cat >/dev/null"], opts) == {"", :idle_timeout}
    end

    test "is not reached while output waits that input has held up" do
      # The second element takes longer than the timeout, and the output has come meanwhile.
      input =
        Stream.map(["a\n", "b\n"], fn line ->
          if line == "b\n", do: Process.sleep(@long + 100)
          line
        end)

      assert MuonTrap.cmd("cat", [], input: input, idle_timeout: @long) == {"a\nb\n", 0}
    end

    test "loses against a shorter timeout, and wins against a longer one" do
      cmd = &MuonTrap.cmd("sleep", ["1000"], &1)
      assert cmd.(timeout: 50, idle_timeout: 100_000) == {"", :timeout}
      assert cmd.(timeout: 100_000, idle_timeout: 50) == {"", :idle_timeout}
    end

    test "ends a stream, but does not count the time of its consumer" do
      stream = MuonTrap.stream("sleep", ["1000"], idle_timeout: 50)
      assert Enum.to_list(stream) == [exit: :idle_timeout]
      opts = [idle_timeout: @long, lines: true, stdio_window: 100]
      stream = MuonTrap.stream("seq", ["1000"], opts)
      slowly = Stream.each(stream, fn _line -> if first?(), do: Process.sleep(@long + 100) end)
      assert List.last(Enum.to_list(slowly)) == {:exit, 0}
      stream! = &MuonTrap.stream!("sleep", ["1000"], [idle_timeout: 50] ++ &1)
      error = assert_raise ExitError, fn -> Enum.to_list(stream!.([])) end
      assert Exception.message(error) == "sleep was stopped because of its :idle_timeout"
      assert Enum.to_list(stream!.(ok_statuses: [:idle_timeout])) == []
    end
  end

  describe "the options" do
    test "are those of functions that collect output" do
      for {option, value} <- [max_output_bytes: 1, idle_timeout: 1] do
        assert refused(:daemon, option, value) =~ "only MuonTrap.cmd/3"

        for context <- [:cmd, :run, :stream, :stream!] do
          assert Map.fetch!(valid(context, [{option, value}]), option) == value
          assert Map.fetch!(valid(context, []), option) == :infinity
        end
      end
    end

    test "are refused when no output is captured" do
      for {opts, name} <- [
            {[stdout: :discard, max_output_bytes: 1], "max_output_bytes"},
            {[stdout: {:file, "x"}, idle_timeout: 1], "idle_timeout"},
            {[use_stdio: false, idle_timeout: 1], "idle_timeout"}
          ] do
        error = assert_raise ArgumentError, fn -> valid(:cmd, opts) end
        assert error.message =~ name
        assert error.message =~ "no output is captured"
      end

      assert valid(:run, stdout: :discard, stderr: :capture, idle_timeout: 1)
    end

    test "are refused when they have no such value" do
      refuses(:cmd, :max_output_bytes, [-1, 1.0, "10", nil, :none])
      refuses(:cmd, :idle_timeout, [0, -1, 1.0, "10", nil, 0x100000000])
    end
  end
end
