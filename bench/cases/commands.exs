# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Commands do
  @moduledoc false

  # Short commands, against System.cmd/3 with the same command.

  alias Bench.Measure

  @doc "One command after the other."
  @spec latency(Measure.enough(), String.t(), [String.t()]) :: Measure.result()
  def latency(enough, command, args) do
    Measure.pairs(
      min(300, enough),
      :cost,
      fn -> {_, 0} = MuonTrap.cmd(command, args) end,
      fn -> {_, 0} = System.cmd(command, args) end
    )
  end

  @commands 640

  @doc "Several callers at once, which run 640 commands altogether."
  @spec concurrent(Measure.enough(), pos_integer()) :: Measure.result()
  def concurrent(enough, callers) do
    all = fn cmd ->
      fn ->
        1..callers
        |> Enum.map(fn _caller ->
          Task.async(fn ->
            for _ <- 1..div(@commands, callers), do: {"", 0} = cmd.("true", [])
          end)
        end)
        |> Task.await_many(:infinity)
      end
    end

    Measure.pairs(min(5, enough), :speed, all.(&MuonTrap.cmd/2), all.(&System.cmd/2))
  end

  @doc "A command in a new cgroup, against one without."
  @spec cgroup(Measure.enough()) :: Measure.result()
  def cgroup(enough) do
    Measure.pairs(
      min(200, enough),
      :cost,
      fn -> {_, 0} = MuonTrap.cmd("true", [], cgroup_base: "muontrap-bench") end,
      fn -> {_, 0} = MuonTrap.cmd("true", []) end
    )
  end
end
