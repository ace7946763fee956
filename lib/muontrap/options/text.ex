# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Text do
  @moduledoc false

  # What a system call takes as a string ends at the first null byte: a string that has one would
  # not mean what it says.

  @doc "Whether this is a binary without a null byte."
  @spec text?(term()) :: boolean()
  def text?(value), do: is_binary(value) and :binary.match(value, <<0>>) == :nomatch

  @doc "Whether this is also valid UTF-8, as names and values of cgroups are for the helper."
  @spec utf8?(term()) :: boolean()
  def utf8?(value), do: text?(value) and String.valid?(value)
end
