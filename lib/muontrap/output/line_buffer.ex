# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.LineBuffer do
  @moduledoc false

  # Turns chunks of output into lines.
  #
  # A line ends with "\n"; it and one "\r" before it are not part of the line. With a maximum, a
  # longer line comes in pieces, of which none is longer and none ends inside a UTF-8 character.
  # How the output was cut into chunks never shows in the lines.
  #
  # A whole line inside a chunk is a sub-binary of it: nothing is copied. Only a line that spans
  # chunks is put together, once, when it is complete. `rest` holds its chunks so far, last first.

  @enforce_keys [:max, :newline]
  defstruct [:max, :newline, rest: [], size: 0, ends_with_cr: false]

  @type t :: %__MODULE__{
          max: pos_integer() | :infinity,
          newline: :binary.cp(),
          rest: [binary()],
          size: non_neg_integer(),
          ends_with_cr: boolean()
        }

  # A UTF-8 character has at most this many bytes, so that a piece can always hold one.
  @smallest_max 4

  @doc "A buffer for lines of at most `max` bytes (at least 4)."
  @spec new(pos_integer() | :infinity) :: t()
  def new(max) when max == :infinity or max >= @smallest_max do
    %__MODULE__{max: max, newline: :binary.compile_pattern("\n")}
  end

  @doc "The smallest maximum that `new/1` takes."
  @spec smallest_max() :: pos_integer()
  def smallest_max, do: @smallest_max

  @doc "Adds a chunk of output. Returns the lines and pieces that it completes, in order."
  @spec push(t(), binary()) :: {[binary()], t()}
  def push(buffer, ""), do: {[], buffer}

  def push(buffer, chunk) do
    case :binary.matches(chunk, buffer.newline) do
      [] ->
        keep([], chunk, buffer)

      [{first, 1} | others] ->
        line = [binary_part(chunk, 0, first) | buffer.rest]
        lines = add(join(line), true, buffer.max, [])
        has_cr = :binary.match(chunk, "\r") != :nomatch
        {lines, start} = split(others, chunk, first + 1, has_cr, buffer.max, lines)
        rest = binary_part(chunk, start, byte_size(chunk) - start)
        keep(lines, rest, %{buffer | rest: [], size: 0, ends_with_cr: false})
    end
  end

  @doc "Ends the output. Returns what is left of an unterminated last line, if anything."
  @spec flush(t()) :: {[binary()], t()}
  def flush(%{size: 0} = buffer), do: {[], buffer}

  def flush(buffer) do
    lines = add(join(buffer.rest), false, buffer.max, [])
    {Enum.reverse(lines), %{buffer | rest: [], size: 0, ends_with_cr: false}}
  end

  defp split([], _chunk, start, _has_cr, _max, lines), do: {lines, start}

  defp split([{position, 1} | others], chunk, start, has_cr, max, lines) do
    lines = add(binary_part(chunk, start, position - start), has_cr, max, lines)
    split(others, chunk, position + 1, has_cr, max, lines)
  end

  # Adds a line, in pieces when it is too long. Any integer is smaller than an atom.
  defp add(line, has_cr, max, lines) do
    line = if has_cr, do: strip_cr(line), else: line

    if byte_size(line) <= max do
      [line | lines]
    else
      {lines, last} = cut_pieces(line, max, lines)
      [last | lines]
    end
  end

  # Keeps the beginning of a line for later. When it is too long already, its pieces are due: but
  # not on account of a last "\r", which may turn out to belong to the line's end.
  defp keep(lines, "", buffer), do: {Enum.reverse(lines), buffer}

  defp keep(lines, chunk, buffer) do
    size = buffer.size + byte_size(chunk)
    rest = [chunk | buffer.rest]
    ends_with_cr = :binary.last(chunk) == ?\r

    if content_size(size, ends_with_cr) <= buffer.max do
      {Enum.reverse(lines), %{buffer | rest: rest, size: size, ends_with_cr: ends_with_cr}}
    else
      {lines, last} = cut_long(join(rest), ends_with_cr, buffer.max, lines)
      size = byte_size(last)
      {Enum.reverse(lines), %{buffer | rest: [last], size: size, ends_with_cr: ends_with_cr}}
    end
  end

  defp content_size(size, true), do: size - 1
  defp content_size(size, false), do: size

  defp cut_long(text, ends_with_cr, max, lines) do
    if content_size(byte_size(text), ends_with_cr) > max do
      length = piece_length(text, max)
      piece = binary_part(text, 0, length)
      rest = binary_part(text, length, byte_size(text) - length)
      cut_long(rest, ends_with_cr, max, [piece | lines])
    else
      {lines, text}
    end
  end

  defp cut_pieces(text, max, lines), do: cut_long(text, false, max, lines)

  # Where to cut a text longer than `max`: before the character that would be cut in two, if any.
  # Bytes that are not UTF-8 are cut at `max`.
  defp piece_length(text, max), do: piece_length(text, max, max, 3)

  defp piece_length(_text, max, _position, -1), do: max

  defp piece_length(text, max, position, left) do
    case :binary.at(text, position) do
      byte when byte in 0x80..0xBF -> piece_length(text, max, position - 1, left - 1)
      byte when byte in 0xC2..0xF4 -> if position + length_of(byte) > max, do: position, else: max
      _byte -> max
    end
  end

  defp length_of(byte) when byte < 0xE0, do: 2
  defp length_of(byte) when byte < 0xF0, do: 3
  defp length_of(_byte), do: 4

  defp join([text]), do: text
  defp join(["", text]), do: text
  defp join(chunks), do: chunks |> Enum.reverse() |> IO.iodata_to_binary()

  defp strip_cr(""), do: ""

  defp strip_cr(line) do
    if :binary.last(line) == ?\r, do: binary_part(line, 0, byte_size(line) - 1), else: line
  end
end
