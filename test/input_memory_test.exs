# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.InputMemoryTest do
  # Not async: the binaries of all tests count.
  use ExUnit.Case

  import MuonTrap.Test.OS

  test "an Enumerable does not pile up on its way to the program" do
    piece = :rand.bytes(65_536)
    test = self()

    input =
      Stream.map(1..2000, fn n ->
        # A copy, so that each counts.
        if rem(n, 100) == 0, do: send(test, {:memory, :erlang.memory(:binary)})
        <<n::32, piece::binary>>
      end)

    before = :erlang.memory(:binary)
    {digest, 0} = MuonTrap.cmd("wc", ["-c"], input: input)
    assert String.trim(digest) == "#{2000 * 65_540}"
    samples = for {:memory, bytes} <- mailbox(), do: bytes - before
    assert length(samples) == 20
    # Of 131 MB.
    assert Enum.max(samples) < 20_000_000
  end
end
