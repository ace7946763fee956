# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CollectorTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Collector

  defp collect(into, chunks) do
    {initial, fun} = Collector.into(into)
    chunks |> Enum.reduce(initial, &fun.(&2, {:cont, &1})) |> fun.(:done)
  end

  test "collects as Collectable does" do
    chunks = ["a", "", "bc", <<0, 255>>]

    for into <- ["", "before", [], MapSet.new()], some <- [chunks, []] do
      assert collect(into, some) == Enum.into(some, into)
    end

    {initial, fun} = Collector.into("")
    assert fun.(fun.(initial, {:cont, "a"}), :halt) == :ok
  end

  test "a binary takes the memory of its bytes, whatever room it had to grow" do
    for count <- [1, 2, 3, 1000] do
      binary = collect("", List.duplicate(String.duplicate("x", 1000), count))
      assert byte_size(binary) == count * 1000
      assert :binary.referenced_byte_size(binary) == byte_size(binary)
    end
  end

  test "a binary of the caller's is not changed" do
    {grown, fun} = Collector.into("")
    grown = fun.(grown, {:cont, "first"})
    assert collect(grown, [" a"]) == "first a"
    assert collect(grown, [" b"]) == "first b"
    assert grown == "first"
  end

  test "no chunk is kept until the end" do
    {initial, fun} = Collector.into("")
    chunk = fn number -> String.duplicate(<<number>>, 1000) end
    grown = Enum.reduce(0..255, initial, &fun.(&2, {:cont, chunk.(&1)}))
    :erlang.garbage_collect()
    {:binary, binaries} = Process.info(self(), :binary)
    assert Enum.count(binaries, fn {_id, size, _references} -> size == 1000 end) < 10
    assert byte_size(grown) == 256_000
  end
end
