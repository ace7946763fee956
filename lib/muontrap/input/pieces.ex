# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Input.Pieces do
  @moduledoc false

  # Splits input into payloads of INPUT frames, and limits how much of it is in flight: sent and not acknowledged.

  # The longest payload of an INPUT frame.
  @piece_bytes 65_536

  # The protocol permits four times as much.
  @window_bytes 262_144

  @doc "Whether one more piece may be sent."
  @spec room?(in_flight :: non_neg_integer()) :: boolean()
  def room?(in_flight), do: in_flight <= @window_bytes - @piece_bytes

  @doc "Takes the next piece, and returns its size and the rest, too."
  @spec take([binary()]) :: {iodata(), non_neg_integer(), [binary()]}
  def take(binaries), do: take(binaries, @piece_bytes, [], 0)

  defp take([binary | rest], room, taken, size) when byte_size(binary) <= room,
    do: take(rest, room - byte_size(binary), [taken, binary], size + byte_size(binary))

  defp take([binary | rest], room, taken, size) when room > 0 do
    {first, remaining} = :erlang.split_binary(binary, room)
    {[taken, first], size + room, [remaining | rest]}
  end

  defp take(rest, _room, taken, size), do: {taken, size, rest}
end
