# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Cgroups.Values do
  @moduledoc false

  # What files of cgroups say, as terms.
  # Formats: https://docs.kernel.org/admin-guide/cgroup-v2.html

  @keys ~w(cpu_idle cpu_max cpu_weight cpuset_cpus cpuset_mems io_max io_weight memory_high memory_low
           memory_max memory_min memory_oom_group memory_swap_max pids_max)a
  @names Map.new(@keys, &{&1 |> Atom.to_string() |> String.replace("_", "."), &1})

  @rates %{"rbps" => :rbps, "wbps" => :wbps, "riops" => :riops, "wiops" => :wiops}

  @doc "Settings, as the option `:cgroup` takes them."
  @spec config(%{optional(String.t()) => String.t()}) :: %{optional(atom()) => term()}
  def config(files) do
    config =
      for {name, key} <- @names,
          {:ok, text} <- [Map.fetch(files, name)],
          {:ok, value} <- [setting(key, text)],
          into: %{},
          do: {key, value}

    # The kernel does not take a weight for an idle group.
    if config[:cpu_idle], do: Map.delete(config, :cpu_weight), else: config
  end

  defp setting(key, text) when key in [:cpu_idle, :memory_oom_group], do: {:ok, text == "1"}
  defp setting(:cpu_max, "max" <> _period), do: {:ok, :max}

  defp setting(:cpu_max, text) do
    [quota, period] = String.split(text)
    {:ok, {String.to_integer(quota), String.to_integer(period)}}
  end

  # A list that is empty or a device without limits is a setting that was not made.
  defp setting(key, "") when key in [:cpuset_cpus, :cpuset_mems, :io_max], do: :error
  defp setting(key, text) when key in [:cpuset_cpus, :cpuset_mems], do: {:ok, text}
  defp setting(:io_max, text), do: {:ok, text |> lines() |> Map.new(&device_limits/1)}
  defp setting(:io_weight, text), do: text |> lines() |> Map.new(&device_weight/1) |> weight()
  defp setting(_limit, "max"), do: {:ok, :max}
  defp setting(_limit, text), do: {:ok, String.to_integer(text)}

  defp device_limits([device | limits]) do
    limits =
      for limit <- limits,
          [key, value] = String.split(limit, "="),
          value != "max",
          into: %{},
          do: {Map.fetch!(@rates, key), String.to_integer(value)}

    {device, limits}
  end

  defp device_weight(["default", weight]), do: {:default, String.to_integer(weight)}
  defp device_weight([device, weight]), do: {device, String.to_integer(weight)}

  defp weight(%{default: weight} = weights) when map_size(weights) == 1, do: {:ok, weight}
  defp weight(weights), do: {:ok, weights}

  @doc """
  Statistics, by file: a number for a file of one number, a map for one of keys and numbers, and a map
  of maps for one of lines such as `8:0 rbytes=1 wbytes=2`.
  """
  @spec statistics(%{optional(String.t()) => String.t()}) :: %{optional(String.t()) => term()}
  def statistics(files), do: Map.new(files, fn {name, text} -> {name, statistic(lines(text))} end)

  defp statistic([[text]]), do: number(text)
  defp statistic(lines), do: Map.new(lines, &line/1)

  defp line([key, value]) do
    if String.contains?(value, "="), do: {key, pairs([value])}, else: {key, number(value)}
  end

  defp line([key | pairs]), do: {key, pairs(pairs)}

  defp pairs(pairs) do
    for pair <- pairs, into: %{} do
      [key | value] = String.split(pair, "=", parts: 2)
      {key, number(Enum.join(value))}
    end
  end

  # Averages of pressure have two decimals.
  defp number(text) do
    with :error <- whole(Integer.parse(text)),
         :error <- whole(Float.parse(text)),
         do: if(text == "max", do: :max, else: text)
  end

  defp whole({number, ""}), do: number
  defp whole(_other), do: :error

  defp lines(text), do: for(line <- String.split(text, "\n", trim: true), do: String.split(line))
end
