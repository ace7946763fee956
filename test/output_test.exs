# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OutputTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Daemon
  alias MuonTrap.Test.Callback

  defp sh(script, opts), do: MuonTrap.cmd("sh", ["-c", script], opts)

  # 588,895 bytes: many times the window, and many times the size of a pipe.
  defp numbers, do: Enum.map_join(1..100_000, &"#{&1}\n")

  describe "all of the output arrives" do
    defp seq(expected, opts \\ []) do
      assert MuonTrap.cmd("seq", ["1", "100000"], opts) == {expected, 0}
    end

    # One write(2) of a bit more than the size of a pipe (65,536 bytes), and then the program exits.
    defp burst(bytes, directory, opts \\ []) do
      args = ["if=#{directory}/burst", "bs=66890", "count=1", "status=none"]
      assert MuonTrap.cmd("dd", args, opts) == {bytes, 0}
    end

    defp write_burst(directory) do
      bytes = :rand.bytes(66_890)
      File.write!(Path.join(directory, "burst"), bytes)
      bytes
    end

    defp times(count, concurrency, fun) do
      1..count
      |> Task.async_stream(fn _n -> fun.() end, max_concurrency: concurrency, timeout: :infinity)
      |> Enum.each(fn result -> assert {:ok, true} = result end)
    end

    test "of 200 times seq" do
      expected = numbers()
      times(200, 2, fn -> seq(expected) end)
    end

    @tag :tmp_dir
    test "of 200 programs that write 66,890 bytes and exit at once", %{tmp_dir: directory} do
      bytes = write_burst(directory)
      times(200, 2, fn -> burst(bytes, directory) end)
    end

    @tag :tmp_dir
    @tag timeout: 900_000
    test "through a window of one byte", %{tmp_dir: directory} do
      bytes = write_burst(directory)
      times(3, 1, fn -> burst(bytes, directory, stdio_window: 1) end)
      times(1, 1, fn -> seq(numbers(), stdio_window: 1) end)
    end

    @tag :tmp_dir
    @tag MuonTrap.Test.Needs.needs(:lists_of_children)
    test "of 300 programs at once", %{tmp_dir: directory} do
      bytes = write_burst(directory)
      expected = numbers()
      both = fn n -> if rem(n, 2) == 0, do: seq(expected), else: burst(bytes, directory) end
      tasks = for n <- 1..300, do: Task.async(fn -> both.(n) end)
      assert Task.await_many(tasks, :infinity) == List.duplicate(true, 300)
    end

    for {size, window} <- [{100_000_000, 10_240}, {50_000_000, 65_536}, {50_000_000, 1_048_576}] do
      @tag :tmp_dir
      test "of #{size} random bytes, with the same hash, with a window of #{window} bytes",
           %{tmp_dir: directory} do
        hash = fn chunk ->
          {hash, size} = Process.get(:md5, {:erlang.md5_init(), 0})
          Process.put(:md5, {:erlang.md5_update(hash, chunk), size + byte_size(chunk)})
        end

        size = unquote(size)
        script = "exec 3>&1; head -c #{size} /dev/urandom | tee /dev/fd/3 | md5sum >md5"
        opts = [into: %Callback{fun: hash}, cd: directory, stdio_window: unquote(window)]
        assert sh(script, opts) == {:done, 0}
        assert {hash, ^size} = Process.get(:md5)
        md5 = hash |> :erlang.md5_final() |> Base.encode16(case: :lower)
        assert File.read!(Path.join(directory, "md5")) == md5 <> "  -\n"
      end
    end

    # The program does not read the frames from the owner to the helper.
    test "of a program that reads its stdin" do
      script = "exec 3<&0; cat <&3 & head -c 1 <&3 & seq 1 100000"
      assert sh(script, stdio_window: 1000) == {numbers(), 0}
    end

    test "in the order in which it was written" do
      script = "i=0; while [ $i -lt 1000 ]; do echo o$i; echo e$i >&2; i=$((i + 1)); done"

      expected = Enum.map_join(0..999, &"o#{&1}\ne#{&1}\n")

      for window <- [1, 10_240] do
        assert sh(script, stderr_to_stdout: true, stdio_window: window) == {expected, 0}
      end
    end
  end

  # Bytes that may be on their way: in the pipe 64 KiB, in the session 64 KiB and a window, a window in the socket, and 64 KiB
  # in the buffer of the reader. Without a window, there would be 130 KB more in the socket.
  @most_ahead 220_000

  describe "a reader that was quick, and then takes no more" do
    defp written(pid) do
      [_, bytes] = Regex.run(~r/^wchar: (\d+)/m, File.read!("/proc/#{pid}/io"))
      String.to_integer(bytes)
    end

    # Waits until it is blocked, and nothing was written between two looks.
    defp await_still(pid) do
      wait_until(fn ->
        now = written(pid)
        Process.put(:written, now) == now and state(pid) == "S"
      end)
    end

    @tag :tmp_dir
    @tag MuonTrap.Test.Needs.needs(file: "/proc/self/io")
    test "blocks its program", %{tmp_dir: directory} do
      test = self()
      read = :counters.new(1, [])

      take = fn chunk ->
        :counters.add(read, 1, byte_size(chunk))

        if :counters.get(read, 1) > 20_000_000 do
          send(test, :full)
          Process.sleep(:infinity)
        end
      end

      script = "echo $$ > '#{directory}/pid'; exec yes"
      reader = spawn(fn -> sh(script, into: %Callback{fun: take}) end)
      assert_receive :full, 60_000
      pid = File.read!(Path.join(directory, "pid")) |> String.trim() |> String.to_integer()
      await_still(pid)
      assert written(pid) - :counters.get(read, 1) < @most_ahead
      Process.exit(reader, :kill)
      await_gone(pid)
    end
  end

  describe "a reader that takes 100 ms for a chunk" do
    @window 10_240
    @chunks 20

    # Is slow, and reports the mailbox and the memory of the calling process.
    defp dawdle(test) do
      receive do
      after
        100 -> :ok
      end

      :erlang.garbage_collect()
      {:messages, messages} = Process.info(self(), :messages)
      {:memory, memory} = Process.info(self(), :memory)
      {:binary, binaries} = Process.info(self(), :binary)
      queued = for {port, {:data, data}} <- messages, is_port(port), do: byte_size(data)
      held = for {_id, size, _references} <- binaries, do: size
      sample = %{queued: queued, memory: memory + Enum.sum(held)}
      send(test, {:sample, sample})
    end

    defp samples do
      for _ <- 1..@chunks do
        assert_receive {:sample, sample}
        sample
      end
    end

    # Meanwhile, the program could have written gigabytes.
    defp assert_flat(samples, slack) do
      for %{queued: queued, memory: memory} <- samples do
        # The tag of a frame has one byte.
        assert Enum.sum(queued) - length(queued) <= @window
        assert memory <= hd(samples).memory + slack
      end
    end

    test "has a mailbox and memory that do not grow" do
      test = self()
      into = %Callback{fun: fn _chunk -> dawdle(test) end}
      reader = spawn(fn -> MuonTrap.cmd("yes", [], into: into, stdio_window: @window) end)
      samples = samples()
      Process.exit(reader, :kill)
      assert_flat(samples, 4 * @window)
    end

    # A line without an end is split into pieces.
    test "in a daemon has a mailbox and memory that do not grow" do
      test = self()

      {:ok, daemon} =
        Daemon.start_link("sh", ["-c", "yes | tr -d '\\n'"],
          logger_fun: fn _piece -> dawdle(test) end,
          log_max_line_bytes: @window,
          stdio_window: @window
        )

      samples = samples()
      # Not with GenServer.stop/1, which would wait until the last output is logged at this rate.
      Process.unlink(daemon)
      Process.exit(daemon, :kill)
      assert_flat(samples, 4 * @window)
    end
  end
end
