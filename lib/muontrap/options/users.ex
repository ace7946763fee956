# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Users do
  @moduledoc false

  # Names and ids of users and groups. Whether a name exists is for the helper to find out, which
  # asks the system's databases.

  @behaviour MuonTrap.Options.Type

  # The largest value means "leave unchanged" in setresuid(2), and is no id.
  @largest_id 0xFFFFFFFE

  @root "root is refused, as programs are to have fewer rights than the BEAM (leave the option out to " <>
          "run as the BEAM does)"

  @impl MuonTrap.Options.Type
  def expected(kind),
    do: "the name of a #{kind} as a string, or a plain number from 1 to #{@largest_id}"

  @impl MuonTrap.Options.Type
  def typespec(_kind, :given), do: quote(do: String.t() | 1..unquote(@largest_id))
  def typespec(_kind, :parsed), do: quote(do: String.t())

  # Returns a number or a name, as a string. Refuses the superuser, and what is neither a plain
  # decimal number nor can be a name. In the protocol, a name is UTF-8.
  @impl MuonTrap.Options.Type
  def parse(root, _kind) when root in [0, "0", "root"], do: {:error, @root}
  def parse(id, _kind) when id in 1..@largest_id, do: {:ok, Integer.to_string(id)}

  def parse(<<first, _rest::binary>> = id, kind) when first in ?1..?9 do
    case Integer.parse(id) do
      {number, ""} -> parse(number, kind)
      _not_a_number -> :error
    end
  end

  def parse(name, _kind) when is_binary(name) do
    if String.valid?(name) and name =~ ~r/\A[^\s\d:,\/+=\0-][^\s:,\/\0]*\z/,
      do: {:ok, name},
      else: :error
  end

  def parse(_other, _kind), do: :error
end
