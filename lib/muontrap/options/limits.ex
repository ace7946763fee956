# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Limits do
  @moduledoc false

  # The table of limits of the option :cgroup: name, type and documentation. A limit has the name of
  # the setting of cgroup v2, with "_" in place of ".".
  # Formats: https://docs.kernel.org/admin-guide/cgroup-v2.html

  import MuonTrap.Options.Text, only: [text?: 1, utf8?: 1]

  alias MuonTrap.Options.{Cgroup, Type}

  @behaviour MuonTrap.Options.Type

  @bytes {:or, [{:integer, 0, :infinity, "a number of bytes"}, {:one_of, [:max]}]}
  @weights 1..10_000
  @weight {:integer, @weights.first, @weights.last, "a number"}
  @quota {:integer, 1, :infinity, "a quota in microseconds"}
  @period {:integer, 1, :infinity, "a period in microseconds"}
  @quota_and_period {:tuple, [{:or, [@quota, {:one_of, [:max]}]}, @period],
                     "{quota, period} in microseconds"}

  @limits [
    {:memory_max, @bytes, "bytes, or `:max`. At the limit, the kernel reclaims memory, and kills a
      process of the group when that does not help"},
    {:memory_high, @bytes, "bytes, or `:max`. Above it, the group is slowed down and its memory is
      reclaimed, but nothing is killed"},
    {:memory_low, @bytes,
     "bytes, or `:max`. Up to this much is reclaimed only when other groups have
      no more to give"},
    {:memory_min, @bytes, "bytes, or `:max`. Up to this much is never reclaimed"},
    {:memory_swap_max, @bytes, "bytes of swap, or `:max`"},
    {:memory_oom_group, {:custom, __MODULE__, :boolean},
     "boolean: when memory runs out, all processes of the group are killed"},
    {:cpu_max, {:or, [@quota_and_period, @quota, {:one_of, [:max]}]},
     "`{quota, period}` in microseconds of CPU time, a quota alone, or `:max`"},
    {:cpu_weight, @weight, "1 to 10,000; the kernel's default is 100"},
    {:cpu_idle, {:custom, __MODULE__, :boolean},
     "boolean: the group runs only when a CPU is idle otherwise"},
    {:cpuset_cpus, {:custom, __MODULE__, :ranges},
     "the CPUs to run on: a string of numbers and ranges such as `\"0-1,3\"`"},
    {:cpuset_mems, {:custom, __MODULE__, :ranges},
     "the memory nodes to use, written in the same way"},
    {:pids_max, {:or, [{:integer, 0, :infinity, "a number of processes"}, {:one_of, [:max]}]},
     "the number of processes and threads, or `:max`"},
    {:io_max, {:custom, __MODULE__, :device_limits}, "a map from device to limits,
      `%{\"8:0\" => %{rbps: 1_048_576, wiops: 100}}`, with `:rbps` and `:wbps` in bytes per second,
      `:riops` and `:wiops` in operations per second, each a number or `:max`; or a string such as
      `\"8:0 rbps=1048576\"`"},
    {:io_weight, {:or, [@weight, {:custom, __MODULE__, :device_weights}]},
     "1 to 10,000; the kernel's default is 100. Or a map from device, or `:default`, to weight"}
  ]

  @names for {key, _type, _doc} <- @limits,
             into: %{},
             do: {key, key |> Atom.to_string() |> String.replace("_", ".")}

  @doc "The type of the option `:cgroup`."
  @spec type() :: Type.t()
  def type, do: {:keys, :map, "limit", @limits}

  @doc "The setting of cgroup v2 that each limit is."
  @spec names() :: %{required(atom()) => String.t()}
  def names, do: @names

  @doc "Limits of `type/0` as settings of cgroup v2."
  @spec settings(%{optional(atom()) => term()}) :: [Cgroup.setting()]
  def settings(limits) do
    for {key, value} <- Enum.sort(limits),
        text <- value |> to_text() |> List.wrap(),
        do: {Map.fetch!(@names, key), text}
  end

  defp to_text({quota, period}), do: "#{quota} #{period}"
  # One line for each device: the kernel accepts one at a time.
  defp to_text(lines) when is_list(lines), do: lines
  defp to_text(value), do: to_string(value)

  @impl Type
  def expected(:boolean), do: "true or false"
  def expected(:ranges), do: "a string of numbers and ranges such as \"0-1,3\""

  def expected(:device_limits) do
    "a map such as %{\"8:0\" => %{rbps: 1_048_576}}, or a string such as \"8:0 rbps=1048576\""
  end

  def expected(:device_weights), do: "a map such as %{:default => 100, \"8:0\" => 50}"

  @impl Type
  def typespec(:boolean, :given), do: quote(do: boolean() | 0 | 1)
  def typespec(:boolean, :parsed), do: quote(do: 0 | 1)
  def typespec(:ranges, _stage), do: quote(do: String.t())

  def typespec(:device_limits, :given) do
    quote do
      %{
        optional(String.t()) => %{
          optional(:rbps | :wbps | :riops | :wiops) => pos_integer() | :max
        }
      }
      | String.t()
    end
  end

  def typespec(:device_weights, :given) do
    weight = quote(do: unquote(@weights.first)..unquote(@weights.last))
    quote(do: %{optional(String.t() | :default) => unquote(weight)} | String.t())
  end

  def typespec(_by_device, :parsed), do: quote(do: String.t() | [String.t()])

  @impl Type
  def parse(value, :boolean) when value in [true, 1], do: {:ok, 1}
  def parse(value, :boolean) when value in [false, 0], do: {:ok, 0}
  def parse(%{} = limits, :device_limits), do: by_device(limits, &device_limits/1)
  def parse(%{} = weights, :device_weights), do: by_device(weights, &device_weight/1)
  def parse(text, kind) when kind != :boolean, do: text(text)
  def parse(_other, _kind), do: :error

  defp by_device(map, to_text) when not is_struct(map) do
    texts = for {device, value} <- Enum.sort(map), do: {device, to_text.({device, value})}
    if Enum.all?(texts, fn {_, text} -> text != :error end), do: {:ok, join(texts)}, else: :error
  end

  defp by_device(_struct, _to_text), do: :error

  defp join(texts), do: for({device, text} <- texts, text != "", do: "#{device} #{text}")

  defp device_weight({device, weight}) when weight in @weights do
    if device == :default or device?(device), do: Integer.to_string(weight), else: :error
  end

  defp device_weight(_other), do: :error

  @rates [:rbps, :wbps, :riops, :wiops]

  defp device_limits({device, limits}) when is_map(limits) and not is_struct(limits) do
    if device?(device) and Enum.all?(limits, &rate?/1),
      do: Enum.map_join(limits, " ", fn {key, rate} -> "#{key}=#{rate}" end),
      else: :error
  end

  defp device_limits(_other), do: :error

  defp rate?({key, rate}), do: key in @rates and (rate == :max or (is_integer(rate) and rate > 0))

  defp device?(device), do: text?(device) and device =~ ~r/\A\d+:\d+\z/

  defp text(value), do: if(utf8?(value) and value != "", do: {:ok, value}, else: :error)
end
