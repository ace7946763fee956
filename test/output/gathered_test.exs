# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.GatheredTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Output.Gathered

  defp add_all(gathered, chunks), do: Enum.reduce(chunks, gathered, &Gathered.add(&2, &1))

  test "chunks come back in order, with their size" do
    gathered = Gathered.new(100)
    assert Gathered.empty?(gathered)
    gathered = add_all(gathered, ["ab", "cd", "ef"])
    refute Gathered.empty?(gathered)
    {output, 6, gathered} = Gathered.take(gathered)
    assert IO.iodata_to_binary(output) == "abcdef"
    assert Gathered.empty?(gathered)
    assert {"g", 1, _empty} = gathered |> Gathered.add("g") |> Gathered.take()
  end

  # Otherwise the session may have no credit, and the caller would wait for output that cannot come.
  test "half of a window is enough, however small" do
    for window <- [1, 2, 3, 100, 10_240, 262_144] do
      half = add_all(Gathered.new(window), List.duplicate("x", max(div(window, 2), 1)))
      assert Gathered.enough?(half)
    end

    almost = Gathered.add(Gathered.new(10_240), String.duplicate("x", 5119))
    refute Gathered.enough?(%{almost | deadline: :infinity})
  end

  test "a large window is not gathered whole" do
    chunk = String.duplicate("x", 262_144)
    assert 1_000_000_000 |> Gathered.new() |> Gathered.add(chunk) |> Gathered.enough?()
  end
end
