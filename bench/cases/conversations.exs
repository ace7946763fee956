# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Conversations do
  @moduledoc false

  # Programs that are written to and answer.

  alias Bench.Measure
  alias MuonTrap.Process, as: Handle

  @count 100_000
  @message :binary.copy("x", 63) <> "\n"

  @doc "Writes of 64 bytes to `cat`, each of which is read back before the next."
  @spec round_trips(Measure.enough()) :: Measure.result()
  def round_trips(enough) do
    count = if enough == :infinity, do: @count, else: div(@count, 20)

    Measure.pairs(min(5, enough), :cost, fn -> by_handle(count) end, fn -> by_port(count) end)
  end

  defp by_handle(count) do
    {:ok, cat} = Handle.start_link("cat", [])
    by_handle(cat, count)
    {:ok, _result} = Handle.stop(cat)
  end

  defp by_handle(_cat, 0), do: :ok

  defp by_handle(cat, count) do
    :ok = Handle.write(cat, @message)
    {:ok, {:stdout, @message}} = Handle.read(cat)
    by_handle(cat, count - 1)
  end

  defp by_port(count) do
    cat = Port.open({:spawn_executable, System.find_executable("cat")}, [:binary])
    by_port(cat, count)
    Port.close(cat)
  end

  defp by_port(_cat, 0), do: :ok

  defp by_port(cat, count) do
    Port.command(cat, @message)

    receive do
      {^cat, {:data, @message}} -> by_port(cat, count - 1)
    end
  end
end
