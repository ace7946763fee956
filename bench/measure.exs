# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Measure do
  @moduledoc false

  # Two ways of doing one thing are measured in turn, so that what slows the machine down for a
  # while slows down both. What is told is the median of each, and of the ratios pair by pair.

  @type result :: %{
          ours: number(),
          theirs: number() | nil,
          value: float(),
          low: float(),
          high: float()
        }

  @doc "Microseconds that `fun` takes."
  @spec time(function()) :: pos_integer()
  def time(fun) do
    :erlang.garbage_collect()
    {us, _} = :timer.tc(fun)
    max(us, 1)
  end

  @doc "Times both in turn, `n` times. The value is ours / theirs, or with `:speed` how many times as fast."
  @spec pairs(pos_integer(), :cost | :speed, function(), function()) :: result()
  def pairs(n, what, ours, theirs) do
    # Not counted: whatever is loaded and cached the first time.
    ours.()
    theirs.()
    of_pairs(for(_ <- 1..n, do: {time(ours), time(theirs)}), what)
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

  @doc "For what is measured by itself."
  @spec alone([number()]) :: result()
  def alone(values), do: values |> summary() |> Map.merge(%{ours: median(values), theirs: nil})

  # The value, and between which values half of all lie.
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
