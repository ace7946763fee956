# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Soak do
  @moduledoc """
  Runs many commands or daemons in a BEAM that does nothing else, and counts what is left.
  """

  alias MuonTrap.Daemon
  alias MuonTrap.Test.OS

  # The BEAM's own memory varies by less. A leak for each command or daemon would be larger: the smallest
  # process has 2.5 KB.
  @slack_bytes 2_000_000

  @doc "The number of bytes by which the memory of an idle BEAM may vary."
  @spec slack_bytes() :: pos_integer()
  def slack_bytes, do: @slack_bytes

  @typedoc "Counts of what there is, and bytes of memory after a garbage collection."
  @type counts :: %{
          processes: non_neg_integer(),
          ports: non_neg_integer(),
          descriptors: non_neg_integer(),
          atoms: non_neg_integer(),
          os_processes: non_neg_integer(),
          messages: non_neg_integer(),
          timers: non_neg_integer(),
          memory: non_neg_integer()
        }

  @doc "Runs `count` commands one after the other. Returns the counts before and after."
  @spec commands(pos_integer()) :: {counts(), counts()}
  def commands(count) do
    program = System.find_executable("true")
    # With a timeout, to check that no timer is left.
    command = fn -> {"", 0} = MuonTrap.cmd(program, [], timeout: 600_000) end

    measure(fn -> repeat(command, 100) end, fn -> repeat(command, count) end)
  end

  # The warm-up runs the same code, which loads the modules that it needs.
  defp repeat(fun, count), do: for(_ <- 1..count, do: fun.())

  @doc "Starts `count` daemons, checks that all are running, and stops them."
  @spec daemons(pos_integer()) :: {counts(), counts()}
  def daemons(count) do
    # Counted at the second time, because the BEAM's tables grow at the first time, and do not shrink.
    measure(fn -> daemons_at_once(count) end, fn -> daemons_at_once(count) end)
  end

  defp daemons_at_once(count) do
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
    spec = {Daemon, ["sleep", ["1000"]]}
    # The fork server has a port.
    MuonTrap.cmd("true", [])
    before = length(Port.list())

    daemons =
      for _ <- 1..count do
        {:ok, daemon} = DynamicSupervisor.start_child(supervisor, spec)
        daemon
      end

    ^count = length(Port.list()) - before
    programs = Enum.map(daemons, &Daemon.program_os_pid/1)
    ^count = programs |> Enum.uniq() |> Enum.count(&(OS.name(&1) == "sleep"))
    :ok = Supervisor.stop(supervisor)
    0 = Enum.count(programs, &OS.alive?/1)
  end

  # Loads modules, and lets tables grow, before the first count.
  defp measure(warm_up, work) do
    tracer = trace_timers()
    warm_up.()
    before = settled(counts(tracer), tracer)
    work.()
    {before, settled(before, tracer)}
  end

  # Guards and helpers end a moment after their commands, and the BEAM frees memory later. A leak remains in
  # the result.
  defp settled(goal, tracer) do
    try do
      OS.wait_until(fn ->
        counts = counts(tracer)
        counts.memory <= goal.memory + @slack_bytes and %{counts | memory: goal.memory} == goal
      end)
    rescue
      ExUnit.AssertionError -> :ok
    end

    counts(tracer)
  end

  defp counts(tracer) do
    Enum.each(Process.list(), &:erlang.garbage_collect/1)

    %{
      processes: length(Process.list()),
      ports: length(Port.list()),
      descriptors: length(File.ls!("/proc/self/fd")),
      atoms: :erlang.system_info(:atom_count),
      os_processes: length(offspring([System.pid()])),
      messages: length(OS.mailbox()),
      timers: running_timers(tracer),
      memory: :erlang.memory(:total)
    }
  end

  # All descendants, including zombies.
  defp offspring(parents) do
    children =
      for entry <- File.ls!("/proc"),
          {:ok, stat} <- [File.read("/proc/#{entry}/stat")],
          [_state, parent | _rest] = stat |> String.split(") ") |> List.last() |> String.split(),
          parent in parents,
          do: entry

    if children == [], do: [], else: children ++ offspring(children)
  end

  # The BEAM does not count its timers, but it can trace the calls that start them.
  defp trace_timers do
    tracer = spawn_link(fn -> collect_timers([]) end)
    # This process, and those that it spawns.
    :erlang.trace(self(), true, [:call, :set_on_spawn, {:tracer, tracer}])

    for function <- [:send_after, :start_timer], arity <- [3, 4] do
      1 = :erlang.trace_pattern({:erlang, function, arity}, [{:_, [], [{:return_trace}]}], [])
    end

    tracer
  end

  defp collect_timers(timers) do
    receive do
      {:trace, _pid, :return_from, {:erlang, _function, _arity}, timer} ->
        collect_timers([timer | timers])

      {:running, from} ->
        running = Enum.filter(timers, &Process.read_timer/1)
        send(from, {self(), length(running)})
        collect_timers(running)

      _call ->
        collect_timers(timers)
    end
  end

  defp running_timers(tracer) do
    send(tracer, {:running, self()})
    receive(do: ({^tracer, count} -> count))
  end
end
