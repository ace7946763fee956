# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Measure do
  @moduledoc false

  # Two ways of doing one thing are measured in turn, so that whatever slows the machine down for a
  # while slows down both. The result has the median of each, and of the ratios of all pairs.

  @type result :: %{
          ours: number(),
          theirs: number() | nil,
          value: float(),
          low: float(),
          high: float()
        }

  @typedoc "A number of rounds, or no limit: `min(300, :infinity)` is 300, since atoms come after numbers."
  @type enough :: pos_integer() | :infinity

  @doc "Microseconds that `fun` takes."
  @spec time(function()) :: pos_integer()
  def time(fun) do
    :erlang.garbage_collect()
    {us, _} = :timer.tc(fun)
    max(us, 1)
  end

  @doc "Times both in turn, `rounds` times. The value is ours / theirs, or theirs / ours with `:speed`."
  @spec pairs(pos_integer(), :cost | :speed, function(), function()) :: result()
  def pairs(rounds, what, ours, theirs),
    do: timed_pairs(rounds, what, fn -> time(ours) end, fn -> time(theirs) end)

  @doc "As `pairs/4`, for functions that return the microseconds that count."
  @spec timed_pairs(pos_integer(), :cost | :speed, (... -> number()), (... -> number())) ::
          result()
  def timed_pairs(rounds, what, ours, theirs) do
    # Not counted: the first call loads code and fills caches.
    ours.()
    theirs.()
    of_pairs(for(_ <- 1..rounds, do: {ours.(), theirs.()}), what)
  end

  @spec of_pairs([{number(), number()}], :cost | :speed) :: result()
  def of_pairs(pairs, what) do
    {ours, theirs} = Enum.unzip(pairs)
    value = fn {a, b} -> if what == :cost, do: a / b, else: b / a end

    pairs
    |> Enum.map(value)
    |> summary()
    |> Map.merge(%{ours: median(ours), theirs: median(theirs)})
  end

  @doc "The result of values that are not compared with others."
  @spec alone([number()]) :: result()
  def alone(values), do: values |> summary() |> Map.merge(%{ours: median(values), theirs: nil})

  # The median and the quartiles.
  defp summary(values),
    do: %{
      value: median(values) / 1,
      low: quantile(values, 0.25) / 1,
      high: quantile(values, 0.75) / 1
    }

  @spec median([number()]) :: number()
  def median(values), do: quantile(values, 0.5)

  defp quantile(values, q) do
    sorted = Enum.sort(values)
    position = q * (length(sorted) - 1)
    below = Enum.at(sorted, floor(position))
    above = Enum.at(sorted, ceil(position))
    below + (above - below) * (position - floor(position))
  end
end
