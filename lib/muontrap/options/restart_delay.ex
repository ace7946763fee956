# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.RestartDelay do
  @moduledoc false

  # The option :restart_delay, as {min, max, factor}.

  @behaviour MuonTrap.Options.Type

  @defaults [min: 500, max: 30_000, factor: 2]
  @longest_ms 0xFFFFFFFF

  @impl MuonTrap.Options.Type
  def expected(:restart_delay) do
    "a number of milliseconds, or a list such as [min: 500, max: 30_000, factor: 2], where :max is " <>
      "not less than :min and :factor not less than 1"
  end

  @impl MuonTrap.Options.Type
  def typespec(:restart_delay, :given) do
    quote do
      non_neg_integer()
      | [{:min, non_neg_integer()} | {:max, non_neg_integer()} | {:factor, number()}]
    end
  end

  def typespec(:restart_delay, :parsed),
    do: quote(do: {min :: non_neg_integer(), max :: non_neg_integer(), factor :: number()})

  @impl MuonTrap.Options.Type
  def parse(ms, :restart_delay) when is_integer(ms), do: check(min: ms, max: ms, factor: 1)

  def parse([_ | _] = given, :restart_delay) do
    if Keyword.keyword?(given) and Keyword.keys(given) -- Keyword.keys(@defaults) == [],
      do: @defaults |> Keyword.merge(given) |> check(),
      else: :error
  end

  def parse(_other, :restart_delay), do: :error

  defp check(parts) do
    [min, max, factor] = for key <- [:min, :max, :factor], do: parts[key]

    if milliseconds?(min) and milliseconds?(max) and min <= max and is_number(factor) and
         factor >= 1,
       do: {:ok, {min, max, factor}},
       else: :error
  end

  defp milliseconds?(value), do: is_integer(value) and value in 0..@longest_ms
end
