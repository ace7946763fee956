# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.FrameBufferTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Session.FrameBuffer

  @ack <<0x84, 17::32, 3::32>>
  @frames [<<0x82, "some output">>, @ack, <<0x83, "x">>, <<0x82>>, <<0x89>>, <<0x83, "errors">>]

  defp bytes, do: for(frame <- @frames, into: "", do: <<byte_size(frame)::32, frame::binary>>)

  # All frames that come of these pieces.
  defp frames(pieces) do
    {frames, _buffer} = Enum.flat_map_reduce(pieces, FrameBuffer.new(""), &pop_all/2)
    frames
  end

  defp pop_all(piece, buffer), do: buffer |> FrameBuffer.push(piece) |> pop_all_of()

  defp pop_all_of(buffer) do
    with {frame, buffer} <- FrameBuffer.pop(buffer) do
      {frames, buffer} = pop_all_of(buffer)
      {[frame | frames], buffer}
    else
      :none -> {[], buffer}
    end
  end

  # Parts of output put together. An empty one says nothing.
  defp join(frames) do
    frames
    |> Enum.reject(&match?({_stream, ""}, &1))
    |> Enum.chunk_while(
      nil,
      fn
        {stream, data}, {stream, before} -> {:cont, {stream, before <> data}}
        frame, nil -> {:cont, frame}
        frame, before -> {:cont, before, frame}
      end,
      &{:cont, &1, nil}
    )
  end

  test "whole frames" do
    assert frames([bytes()]) == [
             {:stdout, "some output"},
             {:input_ack, 17, 3},
             {:stderr, "x"},
             {:stdout, ""},
             :environment_wanted,
             {:stderr, "errors"}
           ]
  end

  test "wherever the bytes are cut" do
    whole = join(frames([bytes()]))
    size = byte_size(bytes())

    for first <- 0..size, second <- first..size do
      {ab, c} = :erlang.split_binary(bytes(), second)
      {a, b} = :erlang.split_binary(ab, first)
      assert join(frames([a, b, c])) == whole
    end

    assert join(frames(for <<byte <- bytes()>>, do: <<byte>>)) == whole
  end

  test "output is passed on before its frame is whole, and not copied" do
    data = :binary.copy("x", 1000)
    buffer = FrameBuffer.new(<<2001::32, 0x82, data::binary>>)
    assert {{:stdout, ^data = part}, buffer} = FrameBuffer.pop(buffer)
    assert :binary.referenced_byte_size(part) == 1005
    assert FrameBuffer.pop(buffer) == :none

    assert {{:stdout, ^data}, buffer} =
             buffer |> FrameBuffer.push(data <> "...") |> FrameBuffer.pop()

    assert FrameBuffer.pop(buffer) == :none
  end
end
