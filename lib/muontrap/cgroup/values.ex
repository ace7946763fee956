# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Cgroup.Values do
  @moduledoc false

  # Parses the contents of the files of a cgroup.
  # Formats: https://docs.kernel.org/admin-guide/cgroup-v2.html

  alias MuonTrap.Options.Limits

  @rates %{"rbps" => :rbps, "wbps" => :wbps, "riops" => :riops, "wiops" => :wiops}

  @doc "The settings, in the form of the option `:cgroup`."
  @spec config(%{optional(String.t()) => String.t()}) :: %{optional(atom()) => term()}
  def config(files) do
    config =
      for {key, name} <- Limits.names(),
          {:ok, text} <- [Map.fetch(files, name)],
          {:ok, value} <- [setting(key, text)],
          into: %{},
          do: {key, value}

    # The kernel refuses a weight for an idle group.
    if config[:cpu_idle], do: Map.delete(config, :cpu_weight), else: config
  end

  defp setting(key, text) when key in [:cpu_idle, :memory_oom_group], do: {:ok, text == "1"}
  defp setting(:cpu_max, "max" <> _period), do: {:ok, :max}

  defp setting(:cpu_max, text) do
    [quota, period] = String.split(text)
    {:ok, {String.to_integer(quota), String.to_integer(period)}}
  end

  # An empty list, and a device without limits, mean that nothing was set.
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
  The statistics, by file: a number for a file of one number, a map for a file of keys and numbers, and
  a map of maps for a file of lines such as `8:0 rbytes=1 wbytes=2`.
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
