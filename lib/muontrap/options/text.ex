# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Text do
  @moduledoc false

  # A string that is passed to a system call ends at its first null byte, so that the rest would be lost.

  @doc "Returns whether the term is a binary without a null byte."
  @spec text?(term()) :: boolean()
  def text?(value), do: is_binary(value) and :binary.match(value, <<0>>) == :nomatch

  @doc "Returns whether the term is also valid UTF-8, which the helper expects for cgroups."
  @spec utf8?(term()) :: boolean()
  def utf8?(value), do: text?(value) and String.valid?(value)
end
