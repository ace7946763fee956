# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Counter do
  @moduledoc false

  # Collects output by counting its bytes: no memory is touched, so that only the transfer is left.

  defstruct bytes: 0

  defimpl Collectable do
    def into(counter) do
      {counter,
       fn
         counter, {:cont, data} -> %{counter | bytes: counter.bytes + byte_size(data)}
         counter, _done_or_halt -> counter
       end}
    end
  end
end

defmodule Bench.Output do
  @moduledoc false

  # Programs that write much.

  alias Bench.Measure
  alias MuonTrap.Daemon

  @bytes 400_000_000
  @zeroes ["-c", "#{@bytes}", "/dev/zero"]

  @doc "400 MB into a Collectable that counts them."
  @spec counter(Measure.enough(), keyword()) :: Measure.result()
  def counter(enough, opts) do
    count = fn cmd, opts ->
      {%{bytes: @bytes}, 0} = cmd.("head", @zeroes, [into: struct(Bench.Counter)] ++ opts)
    end

    Measure.pairs(
      min(7, enough),
      :speed,
      fn -> count.(&MuonTrap.cmd/3, opts) end,
      fn -> count.(&System.cmd/3, []) end
    )
  end

  @doc "400 MB into a binary, which is what `cmd/3` returns without `:into`."
  @spec binary(Measure.enough(), keyword()) :: Measure.result()
  def binary(enough, opts) do
    Measure.pairs(
      min(7, enough),
      :speed,
      fn -> {_, 0} = MuonTrap.cmd("head", @zeroes, opts) end,
      fn -> {_, 0} = System.cmd("head", @zeroes) end
    )
  end

  @doc """
  400 MB into a file, which is removed after each round. It is in memory where there is such a file system: the time that
  a disk takes differs by a factor of four from one round to the next.

  More rounds than of the others: which threads share a processor changes both times by a factor of two.
  """
  @spec file(Measure.enough(), keyword()) :: Measure.result()
  def file(enough, opts) do
    path = Path.join(directory(), "muontrap-bench-#{System.pid()}")

    write = fn cmd, opts ->
      time =
        Measure.time(fn -> {_, 0} = cmd.("head", @zeroes, [into: File.stream!(path)] ++ opts) end)

      File.rm!(path)
      time
    end

    Measure.timed_pairs(
      min(25, enough),
      :speed,
      fn -> write.(&MuonTrap.cmd/3, opts) end,
      fn -> write.(&System.cmd/3, []) end
    )
  end

  # In a container, /dev/shm may have no more than 64 MiB.
  defp directory do
    with {output, 0} <- System.cmd("df", ["-Pk", "/dev/shm"], stderr_to_stdout: true),
         [_title, row] <- String.split(output, "\n", trim: true),
         [_device, _size, _used, free | _rest] <- String.split(row),
         true <- String.to_integer(free) > 500_000 do
      "/dev/shm"
    else
      _no -> System.tmp_dir!()
    end
  end

  @doc "A `write(2)` for each line: `seq` with a format and a line buffer."
  @spec writes(Measure.enough()) :: Measure.result()
  def writes(enough) do
    args = ["-oL", "seq", "-f", "%.0f", "300000"]

    Measure.pairs(
      min(7, enough),
      :speed,
      fn -> {_, 0} = MuonTrap.cmd("stdbuf", args) end,
      fn -> {_, 0} = System.cmd("stdbuf", args) end
    )
  end

  @lines 2_000_000

  @doc "Lines to the `:logger_fun` of a daemon, against a port that splits its output."
  @spec lines(Measure.enough()) :: Measure.result()
  def lines(enough) do
    args = ["1", Integer.to_string(@lines)]

    Measure.pairs(min(5, enough), :speed, fn -> daemon_lines(args) end, fn -> port_lines(args) end)
  end

  defp daemon_lines(args) do
    counter = :counters.new(1, [])
    count = fn _line -> :counters.add(counter, 1, 1) end
    {:ok, daemon} = Daemon.start_link("seq", args, logger_fun: count)
    ref = Process.monitor(daemon)

    receive do
      {:DOWN, ^ref, :process, ^daemon, _reason} -> @lines = :counters.get(counter, 1)
    end
  end

  defp port_lines(args) do
    counter = :counters.new(1, [])
    count = fn _line -> :counters.add(counter, 1, 1) end
    seq = System.find_executable("seq")
    options = [:binary, :exit_status, args: args]

    {owner, ref} =
      spawn_monitor(fn ->
        port = Port.open({:spawn_executable, seq}, options)
        split_lines(port, :binary.compile_pattern("\n"), "", count)
      end)

    receive do
      {:DOWN, ^ref, :process, ^owner, :normal} -> @lines = :counters.get(counter, 1)
    end
  end

  defp split_lines(port, newline, rest, fun) do
    receive do
      {^port, {:data, data}} ->
        rest = data |> :binary.split(newline, [:global]) |> each_line(rest, fun)
        split_lines(port, newline, rest, fun)

      {^port, {:exit_status, 0}} ->
        "" = rest
    end
  end

  defp each_line([last], rest, _fun), do: rest <> last

  defp each_line([line | lines], rest, fun) do
    fun.(rest <> line)
    each_line(lines, "", fun)
  end
end
