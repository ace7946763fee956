# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Streams do
  @moduledoc false

  # Much input, and output that is consumed as a stream. Nothing is kept, so that only the transfer is left.

  alias Bench.Measure

  @bytes 400_000_000
  @zeroes ["-c", "#{@bytes}", "/dev/zero"]
  @piece 62_500
  @pieces div(@bytes, @piece)

  @doc "400 MB from a stream, against `System.cmd/3` with these options."
  @spec stream(Measure.enough(), keyword()) :: Measure.result()
  def stream(enough, opts) do
    Measure.pairs(
      min(7, enough),
      :speed,
      fn -> @bytes = "head" |> MuonTrap.stream!(@zeroes) |> count() end,
      fn -> {_output, 0} = System.cmd("head", @zeroes, opts) end
    )
  end

  @doc "400 MB from an Enumerable through `gzip -c`, against a pipeline of the shell."
  @spec gzip(Measure.enough()) :: Measure.result()
  def gzip(enough), do: Measure.pairs(min(5, enough), :speed, &through_gzip/0, &shell_pipeline/0)

  @doc "The same, against a port."
  @spec gzip_port(Measure.enough()) :: Measure.result()
  def gzip_port(enough),
    do: Measure.pairs(min(5, enough), :speed, &through_gzip/0, &through_port/0)

  defp through_gzip do
    piece = :binary.copy(<<0>>, @piece)
    input = Stream.map(1..@pieces, fn _ -> piece end)
    true = "gzip" |> MuonTrap.stream!(["-c"], input: input) |> count() > 0
  end

  defp shell_pipeline do
    script = "head -c #{@bytes} /dev/zero | gzip -c"
    {%{bytes: bytes}, 0} = System.cmd("sh", ["-c", script], into: struct(Bench.Counter))
    true = bytes > 0
  end

  # A port cannot close the program's stdin alone, so `head` counts the input, and closes that of gzip.
  defp through_port do
    sh = System.find_executable("sh")
    args = ["-c", "head -c #{@bytes} | gzip -c"]
    port = Port.open({:spawn_executable, sh}, [:binary, :exit_status, args: args])
    piece = :binary.copy(<<0>>, @piece)
    for _ <- 1..@pieces, do: true = Port.command(port, piece)
    true = receive_all(port, 0) > 0
  end

  defp receive_all(port, bytes) do
    receive do
      {^port, {:data, data}} -> receive_all(port, bytes + byte_size(data))
      {^port, {:exit_status, 0}} -> bytes
    end
  end

  defp count(stream), do: Enum.reduce(stream, 0, &(byte_size(&1) + &2))
end
