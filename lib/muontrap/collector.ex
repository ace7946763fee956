# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Collector do
  @moduledoc false

  # How output becomes what the caller wants: as Collectable has it, but a binary grows in place.
  #
  # Collectable keeps all chunks of a binary until the end and joins them then, which takes the memory
  # of twice the output. The BEAM appends to a binary that was made by appending without copying it, as
  # long as it has room, and makes room for as much again when it has not: "Constructing and Matching
  # Binaries" in the Efficiency Guide of OTP. A chunk is garbage right away, and its memory serves the
  # next one.

  @type collect :: (term(), Collectable.command() -> term())

  @doc "What to begin with, and the function that adds to it, as of `Collectable.into/1`."
  @spec into(Collectable.t()) :: {term(), collect()}
  def into(binary) when is_binary(binary), do: {binary, &append/2}
  def into(collectable), do: Collectable.into(collectable)

  defp append(binary, {:cont, chunk}), do: <<binary::binary, chunk::binary>>
  defp append(binary, :done), do: trim(binary)
  defp append(_binary, :halt), do: :ok

  # To match a binary ends its growing, and has the BEAM give back the room for more.
  defp trim(<<_, _rest::binary>> = binary), do: binary
  defp trim("" = binary), do: binary
end
