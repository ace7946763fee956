# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Users do
  @moduledoc false

  # User and group ids and names. Whether a name exists is for the helper to find out: it is the one
  # that asks the system's databases.

  # The largest value means "leave as it is" in setresuid(2) and is no id.
  @largest_id 0xFFFFFFFE

  @doc """
  A user or group as the helper takes it: a number or a name. The superuser's is refused, as is
  anything that is neither a plain decimal number nor can be a name.
  """
  @spec parse(term()) :: {:ok, String.t()} | :error
  def parse(id) when id in 1..@largest_id, do: {:ok, Integer.to_string(id)}

  def parse(<<first, _rest::binary>> = id) when first in ?1..?9 do
    case Integer.parse(id) do
      {number, ""} -> parse(number)
      _garbage -> :error
    end
  end

  def parse("root"), do: :error

  def parse(name) when is_binary(name) do
    if name =~ ~r/\A[^\s\d:,\/+=\0-][^\s:,\/\0]*\z/,
      do: {:ok, name},
      else: :error
  end

  def parse(_other), do: :error

  @doc "A list of groups, of which none may be the superuser's."
  @spec parse_list(term()) :: {:ok, [String.t()]} | :error
  def parse_list(groups) when is_list(groups) do
    parsed = Enum.map(groups, &parse/1)
    if :error in parsed, do: :error, else: {:ok, Enum.map(parsed, &elem(&1, 1))}
  end

  def parse_list(_other), do: :error
end
