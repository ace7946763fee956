# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.LineBuffer do
  @moduledoc false

  # Splits output into lines.
  #
  # A line ends with "\n"; this and one "\r" before it are not part of the line. With a maximum, a
  # longer line is split into pieces of at most this size, none of which ends inside a UTF-8
  # character. The lines do not depend on how the output was divided into chunks.
  #
  # A line within one chunk is a sub-binary of it, without a copy. A line that spans chunks is joined
  # once, when it is complete; `rest` has its chunks so far, in reverse order.

  @enforce_keys [:max, :newline]
  defstruct [:max, :newline, rest: [], size: 0, ends_with_cr: false]

  @type t :: %__MODULE__{
          max: pos_integer() | :infinity,
          newline: :binary.cp(),
          rest: [binary()],
          size: non_neg_integer(),
          ends_with_cr: boolean()
        }

  # A piece can contain at least one UTF-8 character.
  @smallest_max 4

  @doc "Creates a buffer for lines of at most `max` bytes (at least 4)."
  @spec new(pos_integer() | :infinity) :: t()
  def new(max) when max == :infinity or max >= @smallest_max do
    %__MODULE__{max: max, newline: :binary.compile_pattern("\n")}
  end

  @doc "The smallest maximum that `new/1` takes."
  @spec smallest_max() :: pos_integer()
  def smallest_max, do: @smallest_max

  @doc "Adds a chunk of output. Returns the lines and pieces that are complete now, in order."
  @spec push(t(), binary()) :: {[binary()], t()}
  def push(buffer, ""), do: {[], buffer}

  def push(buffer, chunk) do
    # Any integer is smaller than the atom :infinity.
    if buffer.size + byte_size(chunk) <= buffer.max and no_cr?(buffer, chunk),
      do: push_whole(buffer, :binary.split(chunk, buffer.newline, [:global])),
      else: push_each(buffer, chunk)
  end

  defp no_cr?(buffer, chunk),
    do: not buffer.ends_with_cr and :binary.match(chunk, "\r") == :nomatch

  # The usual case: no line has to be cut.
  defp push_whole(buffer, [chunk]), do: keep([], chunk, buffer)

  defp push_whole(buffer, [end_of_first | others]) do
    first = join([end_of_first | buffer.rest])
    {[], buffer} = keep([], List.last(others), %{buffer | rest: [], size: 0})
    {[first | :lists.droplast(others)], buffer}
  end

  defp push_each(buffer, chunk) do
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

  @doc "Ends the output. Returns the rest of an unterminated last line, if any."
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

  # Adds a line, in pieces if it is too long. Any integer is smaller than the atom :infinity.
  defp add(line, has_cr, max, lines) do
    line = if has_cr, do: strip_cr(line), else: line

    if byte_size(line) <= max do
      [line | lines]
    else
      {lines, last} = cut_pieces(line, max, lines)
      [last | lines]
    end
  end

  # Keeps the beginning of a line. If it is too long already, its pieces are returned. A last "\r"
  # does not count, since it may belong to the end of the line.
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

  # The length of the first piece of a text longer than `max`: the piece ends before a character that
  # would be split. Bytes that are not UTF-8 are split at `max`.
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
