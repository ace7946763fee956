# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.LineBufferTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Output.LineBuffer

  defp lines(chunks, max \\ :infinity) do
    {lines, buffer} =
      Enum.reduce(chunks, {[], LineBuffer.new(max)}, fn chunk, {lines, buffer} ->
        {more, buffer} = LineBuffer.push(buffer, chunk)
        {lines ++ more, buffer}
      end)

    {last, _buffer} = LineBuffer.flush(buffer)
    lines ++ last
  end

  test "lines end with a newline" do
    assert lines(["one\ntwo\n"]) == ["one", "two"]
    assert lines(["\n\n"]) == ["", ""]
    assert lines([""]) == []
  end

  test "a last line without a newline is a line" do
    assert lines(["one\ntwo"]) == ["one", "two"]
  end

  test "a line may span any number of chunks" do
    assert lines(["o", "", "n", "e\nt", "wo", "\n"]) == ["one", "two"]
  end

  test "a carriage return before the newline is not part of the line" do
    assert lines(["one\r\n\r\ntwo\r\r\n"]) == ["one", "", "two\r"]
    assert lines(["one\r", "\ntwo"]) == ["one", "two"]
  end

  test "any other carriage return is part of the line" do
    assert lines(["o\rne\n", "two\r"]) == ["o\rne", "two\r"]
  end

  test "a long line is split into pieces" do
    assert lines(["abcdefghij\nk\n"], 4) == ["abcd", "efgh", "ij", "k"]
    assert lines(["abcdefgh\n"], 4) == ["abcd", "efgh"]
    assert lines(["ab", "cdef", "gh"], 4) == ["abcd", "efgh"]
  end

  test "the pieces of a long line are returned before its end comes" do
    assert {["abcd"], buffer} = LineBuffer.push(LineBuffer.new(4), "abcdef")
    assert {["efgh"], _buffer} = LineBuffer.push(buffer, "ghi")
  end

  test "the end of a line does not count towards the maximum" do
    assert lines(["abcd\r\nefgh\r\n"], 4) == ["abcd", "efgh"]
    assert lines(["abcd\r", "\n"], 4) == ["abcd"]
    assert lines(["abcd\r", "e\n"], 4) == ["abcd", "\re"]
  end

  test "no piece ends inside a character" do
    assert lines(["aä€𝄞ä\n"], 4) == ["aä", "€", "𝄞", "ä"]
    assert lines(["abcä", "€"], 4) == ["abc", "ä", "€"]
  end

  test "bytes that are not UTF-8 are split at the maximum" do
    assert lines([String.duplicate(<<0x80>>, 6)], 4) == [
             <<0x80, 0x80, 0x80, 0x80>>,
             <<0x80, 0x80>>
           ]

    assert lines([<<0xFF, 0xFF, 0xFF, 0xFF, 0xFF>>], 4) == [<<0xFF, 0xFF, 0xFF, 0xFF>>, <<0xFF>>]
    # The first byte of a character, without the others.
    assert lines([<<"a", 0xC3, 0x80, 0x80, 0x80>>], 4) == [<<"a", 0xC3, 0x80, 0x80>>, <<0x80>>]
  end

  # All ways to divide a text into up to three chunks, for texts of the significant bytes.
  test "lines do not depend on the chunks" do
    alphabet = ["a", "\r", "\n", "\r\n", "ä", "€", <<0x80>>]
    :rand.seed(:exsss, {1, 2, 3})

    for _ <- 1..200, max <- [4, 5, :infinity] do
      text = Enum.map_join(1..12, fn _ -> Enum.random(alphabet) end)
      whole = lines([text], max)
      size = byte_size(text)

      for first <- 0..size, second <- first..size//3 do
        chunks = [
          binary_part(text, 0, first),
          binary_part(text, first, second - first),
          binary_part(text, second, size - second)
        ]

        assert lines(chunks, max) == whole, "#{inspect(chunks)} at most #{max}"
      end
    end
  end

  test "nothing is lost and nothing is longer than the maximum" do
    :rand.seed(:exsss, {4, 5, 6})

    for _ <- 1..500 do
      text =
        Enum.map_join(1..50, fn _ -> Enum.random(["a", "\r", "ä", "𝄞", <<0xF0>>, <<0x9F>>]) end)

      pieces = lines([text], 7)
      assert IO.iodata_to_binary(pieces) == text
      assert Enum.all?(pieces, &(byte_size(&1) in 1..7))
      # Only the last piece may be shorter by more than an incomplete character.
      assert pieces |> Enum.drop(-1) |> Enum.all?(&(byte_size(&1) >= 4))
    end
  end
end
