# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.JSON do
  @moduledoc false

  # Only what the report needs. The oldest supported Elixir has no JSON module.

  @spec encode(term()) :: iodata()
  def encode(nil), do: "null"
  def encode(value) when is_boolean(value), do: Atom.to_string(value)
  def encode(value) when is_atom(value), do: encode(Atom.to_string(value))
  def encode(value) when is_integer(value), do: Integer.to_string(value)

  def encode(value) when is_float(value),
    do: :erlang.float_to_binary(value, [:compact, decimals: 4])

  def encode(value) when is_binary(value) do
    escaped = for <<char::utf8 <- value>>, into: "", do: escape(char)
    [?", escaped, ?"]
  end

  def encode(value) when is_list(value),
    do: [?[, value |> Enum.map(&encode/1) |> Enum.intersperse(","), ?]]

  def encode(value) when is_map(value) do
    members = for {key, member} <- Enum.sort(value), do: [encode(key), ":", encode(member)]
    [?{, Enum.intersperse(members, ","), ?}]
  end

  defp escape(char) when char in [?", ?\\], do: <<?\\, char>>

  defp escape(char) when char < 0x20,
    do: "\\u" <> String.pad_leading(Integer.to_string(char, 16), 4, "0")

  defp escape(char), do: <<char::utf8>>
end
