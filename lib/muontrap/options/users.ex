# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Users do
  @moduledoc false

  # User and group ids and names. Whether a name exists is for the helper to find out: it is the
  # one that asks the system's databases.

  # The largest value means "leave as it is" in setresuid(2) and is no id.
  @largest_id 0xFFFFFFFE

  @root "root is refused, as programs are to have fewer rights than the BEAM (leave the option out to " <>
          "run as the BEAM does)"

  @doc "What `parse/1` takes, in words."
  @spec expected(String.t()) :: String.t()
  def expected(kind) do
    "the name of a #{kind} as a string, or a plain number from 1 to #{@largest_id}"
  end

  @doc "What `parse_list/1` takes, in words."
  @spec expected_list() :: String.t()
  def expected_list,
    do: "a list of groups such as [\"audio\", 1000], where each is " <> expected("group")

  @doc """
  A user or group as the helper takes it: a number or a name. The superuser's is refused, as is
  anything that is neither a plain decimal number nor can be a name.
  """
  @spec parse(term()) :: {:ok, String.t()} | {:error, String.t()} | :error
  def parse(root) when root in [0, "0", "root"], do: {:error, @root}
  def parse(id) when id in 1..@largest_id, do: {:ok, Integer.to_string(id)}

  def parse(<<first, _rest::binary>> = id) when first in ?1..?9 do
    case Integer.parse(id) do
      {number, ""} -> parse(number)
      _garbage -> :error
    end
  end

  def parse(name) when is_binary(name) do
    if name =~ ~r/\A[^\s\d:,\/+=\0-][^\s:,\/\0]*\z/,
      do: {:ok, name},
      else: :error
  end

  def parse(_other), do: :error

  @doc "A list of groups, of which none may be the superuser's."
  @spec parse_list(term()) :: {:ok, [String.t()]} | {:error, String.t()} | :error
  def parse_list([]), do: {:ok, []}

  def parse_list([group | groups]) do
    with {:ok, group} <- parse(group),
         {:ok, groups} <- parse_list(groups),
         do: {:ok, [group | groups]}
  end

  def parse_list(_other), do: :error
end
