# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Limits do
  @moduledoc false

  # The option :cgroup: what each limit takes, in words.

  alias MuonTrap.Options.{Cgroup, Nearest}

  @expected %{
    cpu_idle: "true or false",
    cpu_max: "{quota, period} in microseconds, a quota, or :max",
    cpu_weight: "a number from 1 to 10000",
    cpuset_cpus: "a string of numbers and ranges such as \"0-1,3\"",
    cpuset_mems: "a string of numbers and ranges such as \"0-1,3\"",
    io_max:
      "a map such as %{\"8:0\" => %{rbps: 1_048_576}}, or a string such as \"8:0 rbps=1048576\"",
    io_weight: "a number from 1 to 10000, or a map such as %{:default => 100, \"8:0\" => 50}",
    memory_high: "a number of bytes, or :max",
    memory_low: "a number of bytes, or :max",
    memory_max: "a number of bytes, or :max",
    memory_min: "a number of bytes, or :max",
    memory_oom_group: "true or false",
    memory_swap_max: "a number of bytes, or :max",
    pids_max: "a number of processes, or :max"
  }

  @doc "A map of limits, as settings of cgroup v2."
  @spec parse(term()) :: {:ok, [Cgroup.setting()]} | {:error, String.t()} | :error
  def parse(limits) do
    with {:error, key} when not is_binary(key) or not is_map(limits) or is_map_key(limits, key) <-
           Cgroup.parse_limits(limits),
         do: {:error, explain(key)}
  end

  defp explain(key) when is_map_key(@expected, key),
    do: "the limit #{inspect(key)} takes #{@expected[key]}"

  defp explain(key) do
    "there is no limit #{inspect(key)}" <> Nearest.suggestion(key, Map.keys(@expected))
  end
end
