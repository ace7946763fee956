# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Text do
  @moduledoc false

  @doc """
  The text with each byte that is not part of a valid UTF-8 character written as `\\\\xHH`. Valid text
  is returned as it is.
  """
  @spec printable(binary()) :: String.t()
  def printable(text) do
    if String.valid?(text), do: text, else: IO.iodata_to_binary(escape(text))
  end

  defp escape(<<character::utf8, rest::binary>>), do: [<<character::utf8>> | escape(rest)]
  defp escape(<<byte, rest::binary>>), do: ["\\x", Base.encode16(<<byte>>) | escape(rest)]
  defp escape(""), do: []
end
