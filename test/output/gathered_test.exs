# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.GatheredTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Output.Gathered

  @awaited 65_536

  defp chunk(bytes), do: String.duplicate("x", bytes)

  defp add_all(gathered, chunks) do
    Enum.reduce(chunks, {0, gathered}, fn chunk, {handled, gathered} ->
      {more, gathered} = Gathered.add(gathered, chunk)
      {handled + more, gathered}
    end)
  end

  test "chunks come back in order, and those of a device with UTF-8 as well as one binary" do
    gathered = Gathered.new(100)
    assert Gathered.empty?(gathered)
    {6, gathered} = add_all(gathered, ["ab", "cd", "ef"])
    refute Gathered.empty?(gathered)
    {output, 0, gathered} = Gathered.take(gathered)
    assert IO.iodata_to_binary(output) == "abcdef"
    assert Gathered.empty?(gathered)
    {1, gathered} = Gathered.add(gathered, "g")
    assert {"g", 0, _empty} = Gathered.take(gathered)
  end

  test "no more than is waited for counts as handled" do
    {handled, gathered} = add_all(Gathered.new(1_048_576), [chunk(@awaited - 1), chunk(3), "abc"])
    assert handled == @awaited
    assert {_output, 5, _empty} = Gathered.take(gathered)
  end

  test "more than is waited for is taken in a large window only, and without a wait" do
    {_handled, small} = Gathered.add(Gathered.new(4 * @awaited), chunk(@awaited))
    assert Gathered.enough?(small)

    {_handled, large} = Gathered.add(Gathered.new(1_048_576), chunk(@awaited - 1))
    assert Gathered.wait_ms(large) > 0
    {_handled, large} = Gathered.add(large, "xx")
    assert Gathered.wait_ms(large) == 0
    {_handled, large} = Gathered.add(large, chunk(200_000))
    assert Gathered.enough?(large)
  end
end
