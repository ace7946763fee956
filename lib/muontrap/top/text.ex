# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Top.Text do
  @moduledoc false

  # Short text for terminals: numbers, and strings with their width.

  alias MuonTrap.Native

  @doc "A number of bytes, in units of 1024."
  @spec bytes(non_neg_integer() | nil) :: String.t()
  def bytes(nil), do: "-"
  def bytes(number) when number < 1000, do: "#{number}"
  def bytes(number), do: bytes(number / 1024, ~w(K M G T P E))

  # A thousand of a unit is shown in the next one, so that no number has four digits.
  defp bytes(number, [_unit, next | units]) when number >= 999.5,
    do: bytes(number / 1024, [next | units])

  defp bytes(number, [unit | _units]) when number < 9.95, do: "#{decimal(number)}#{unit}"
  defp bytes(number, [unit | _units]), do: "#{round(number)}#{unit}"

  @doc "A percentage, with a decimal."
  @spec percent(number() | nil) :: String.t()
  def percent(nil), do: "-"
  def percent(number), do: decimal(number)

  defp decimal(number), do: :erlang.float_to_binary(number * 1.0, decimals: 1)

  @doc "A number of milliseconds, in the two largest units."
  @spec duration(non_neg_integer()) :: String.t()
  def duration(ms) do
    seconds = div(ms, 1000)

    cond do
      seconds < 60 -> "#{seconds}s"
      seconds < 3600 -> "#{div(seconds, 60)}m#{two(rem(seconds, 60))}s"
      seconds < 86_400 -> "#{div(seconds, 3600)}h#{two(rem(div(seconds, 60), 60))}m"
      true -> "#{div(seconds, 86_400)}d#{two(rem(div(seconds, 3600), 24))}h"
    end
  end

  defp two(number), do: number |> Integer.to_string() |> String.pad_leading(2, "0")

  @doc "Text of a program, without characters that a terminal would obey."
  @spec printable(binary()) :: String.t()
  def printable(text) do
    Regex.replace(~r/\p{C}/u, Native.printable(text), fn <<character::utf8>> ->
      escape(character)
    end)
  end

  defp escape(?\n), do: "\\n"
  defp escape(?\t), do: "\\t"
  defp escape(character), do: "\\x{" <> Integer.to_string(character, 16) <> "}"

  @doc "How many columns of a terminal printable text takes."
  @spec width(String.t()) :: non_neg_integer()
  def width(text), do: text |> String.graphemes() |> Enum.map(&columns/1) |> Enum.sum()

  # Those of East Asia and emoji are wide. To take others for wide leaves a gap, and does not break lines.
  defp columns(<<character::utf8, _rest::binary>>), do: if(character >= 0x1100, do: 2, else: 1)

  @doc "The beginning of a text that takes `width` columns at most."
  @spec cut(String.t(), non_neg_integer()) :: String.t()
  def cut(text, width) do
    text
    |> String.graphemes()
    |> Enum.reduce_while({"", width}, fn grapheme, {cut, left} ->
      left = left - columns(grapheme)
      if left >= 0, do: {:cont, {cut <> grapheme, left}}, else: {:halt, {cut, left}}
    end)
    |> elem(0)
  end
end
