# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Daemons do
  @moduledoc false

  # Programs under supervision: many at once, idle ones, and how they end.

  alias Bench.Measure
  alias MuonTrap.Daemon

  # Starting

  @together 200

  @doc "From the first start until all programs were executed. Stopping them is not timed."
  @spec start_together(Measure.enough()) :: Measure.result()
  def start_together(enough) do
    Measure.timed_pairs(
      min(9, enough),
      :cost,
      &start_daemons_together/0,
      &open_ports_together/0
    )
  end

  # start_link/3 returns when the program was executed.
  defp start_daemons_together do
    cat = System.find_executable("cat")

    {time, daemons} =
      :timer.tc(fn -> at_once(1..@together, fn _number -> start_unlinked(cat, []) end) end)

    at_once(daemons, &GenServer.stop/1)
    time
  end

  defp open_ports_together do
    cat = System.find_executable("cat")

    {time, {ports, pids}} =
      :timer.tc(fn ->
        ports = for _ <- 1..@together, do: Port.open({:spawn_executable, cat}, [:binary])
        pids = os_pids(ports)
        # The last ones first, since most of the others are executed by then.
        for pid <- Enum.reverse(pids),
            do: await(fn -> File.read("/proc/#{pid}/comm") == {:ok, "cat\n"} end)

        {ports, pids}
      end)

    close(ports, pids)
    time
  end

  defp start_unlinked(command, args, opts \\ []) do
    {:ok, daemon} = Daemon.start_link(command, args, opts)
    Process.unlink(daemon)
    daemon
  end

  # Starting and stopping

  @daemons 1000

  @doc """
  Starting a daemon waits until its program runs, and stopping it until the program is gone. Ports wait for neither, so
  daemons are started and stopped by several supervisors at once.
  """
  @spec start_and_stop(Measure.enough(), pos_integer()) :: Measure.result()
  def start_and_stop(enough, supervisors) do
    Measure.pairs(
      min(9, enough),
      :cost,
      fn -> start_and_stop_daemons(supervisors) end,
      &open_and_close_ports/0
    )
  end

  defp start_and_stop_daemons(supervisors) do
    # Once, as for the ports.
    cat = System.find_executable("cat")

    1..supervisors
    |> at_once(fn _number -> start_supervised(cat, div(@daemons, supervisors)) end)
    |> at_once(&DynamicSupervisor.stop/1)
  end

  defp start_supervised(cat, count) do
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
    Process.unlink(supervisor)
    child = {Daemon, [cat, []]}
    for _ <- 1..count, do: {:ok, _} = DynamicSupervisor.start_child(supervisor, child)
    supervisor
  end

  defp open_and_close_ports do
    cat = System.find_executable("cat")
    ports = for _ <- 1..@daemons, do: Port.open({:spawn_executable, cat}, [:binary])
    close(ports, os_pids(ports))
  end

  defp os_pids(ports), do: for(port <- ports, do: port |> Port.info(:os_pid) |> elem(1))

  # A port does not tell when its program is gone.
  defp close(ports, pids) do
    Enum.each(ports, &Port.close/1)
    for pid <- pids, do: await(fn -> not File.dir?("/proc/#{pid}") end)
  end

  # Idle programs

  @idle 10

  @doc "Private_Dirty of sessions whose programs sleep."
  @spec memory(Measure.enough()) :: Measure.result()
  def memory(enough) do
    # Pages of a file that was just written are dirty, too, until they are on the disk.
    {"", 0} = System.cmd("sync", [])

    with_sleepers(min(@idle, enough), fn daemons ->
      Measure.alone(for(daemon <- daemons, do: private_dirty(Daemon.os_pid(daemon))))
    end)
  end

  defp private_dirty(pid) do
    [_, size] =
      Regex.run(~r/^Private_Dirty:\s+(\d+) kB/m, File.read!("/proc/#{pid}/smaps_rollup"))

    String.to_integer(size)
  end

  @doc "Voluntary context switches of sessions whose programs sleep, and of the fork server."
  @spec wakeups(Measure.enough()) :: Measure.result()
  def wakeups(_enough) do
    with_sleepers(@idle, fn daemons ->
      sessions = Enum.map(daemons, &Daemon.os_pid/1)
      # With `fork_server: false`, a session's parent is erl_child_setup, which sleeps as well.
      pids = [status(hd(sessions), "PPid") | sessions]
      before = switches(pids)
      Process.sleep(10_000)
      Measure.alone([switches(pids) - before])
    end)
  end

  defp switches(pids), do: Enum.sum(for(pid <- pids, do: status(pid, "voluntary_ctxt_switches")))

  defp status(pid, field) do
    [_, value] = Regex.run(~r/^#{field}:\s+(\d+)/m, File.read!("/proc/#{pid}/status"))
    String.to_integer(value)
  end

  defp with_sleepers(count, fun) do
    daemons = for _ <- 1..count, do: start_unlinked("sleep", ["1000"])
    # Until they have nothing more to do.
    Process.sleep(500)
    result = fun.(daemons)
    Enum.each(daemons, &GenServer.stop/1)
    result
  end

  # Stopping

  @doc "From the kill of a daemon to the death of its program, as a pidfd tells it."
  @spec gone(Measure.enough()) :: Measure.result()
  def gone(enough), do: Measure.alone(for(_ <- 1..min(100, enough), do: gone_once()))

  defp gone_once do
    daemon = start_unlinked("sleep", ["1000"])
    args = ["gone", Integer.to_string(Daemon.program_os_pid(daemon))]
    port = Port.open({:spawn_executable, watch()}, [:binary, :exit_status, line: 80, args: args])
    "watching" = line(port)
    start = :os.perf_counter(:nanosecond)
    Process.exit(daemon, :kill)
    ended = String.to_integer(line(port))
    receive(do: ({^port, {:exit_status, 0}} -> :ok))
    (ended - start) / 1_000_000
  end

  # bench/watch.rs, which scripts/bench builds.
  defp watch, do: System.fetch_env!("MUONTRAP_BENCH_WATCH")

  defp line(port), do: receive(do: ({^port, {:data, {:eol, line}}} -> line))

  @stops 10
  @crowd 5000

  @doc "Stops of a program with two background children beside 5,000 other processes, against stops without these."
  @spec stop_in_a_crowd(Measure.enough()) :: Measure.result()
  def stop_in_a_crowd(enough) do
    _not_counted = stop_with_children()

    pairs =
      for _ <- 1..min(3, enough) do
        quiet = for _ <- 1..@stops, do: stop_with_children()
        crowded = with_crowd(fn -> for _ <- 1..@stops, do: stop_with_children() end)
        Enum.zip(crowded, quiet)
      end

    pairs |> List.flatten() |> Measure.of_pairs(:cost)
  end

  defp stop_with_children do
    daemon = start_with_children()
    Measure.time(fn -> GenServer.stop(daemon) end)
  end

  @doc "Seconds until 200 programs with two background children each are gone, beside 5,000 other processes."
  @spec stop_many(Measure.enough()) :: Measure.result()
  def stop_many(enough) do
    with_crowd(fn ->
      Measure.alone(
        for _ <- 1..min(3, enough) do
          daemons = at_once(1..@together, fn _number -> start_with_children() end)
          Measure.time(fn -> at_once(daemons, &GenServer.stop/1) end) / 1_000_000
        end
      )
    end)
  end

  defp start_with_children do
    me = self()
    script = "sleep 1000 & sleep 1000 & echo ready; wait"
    daemon = start_unlinked("sh", ["-c", script], logger_fun: &send(me, {:line, &1}))
    receive(do: ({:line, "ready"} -> daemon))
  end

  # Each process is a fork of the shell, without an exec. They end when stdin ends.
  @crowd_script """
  n=0
  exec 3<&0
  while [ $n -lt #{@crowd} ]; do read -r line <&3 & n=$((n + 1)); done
  echo ready
  wait
  """

  defp with_crowd(fun) do
    shell = System.find_executable("sh")
    options = [:binary, :exit_status, line: 80, args: ["-c", @crowd_script]]
    port = Port.open({:spawn_executable, shell}, options)
    {:os_pid, pid} = Port.info(port, :os_pid)
    "ready" = line(port)
    result = fun.()
    Port.close(port)
    await(fn -> not File.dir?("/proc/#{pid}") end)
    result
  end

  # Shared

  defp at_once(values, fun) do
    values
    |> Enum.map(fn value -> Task.async(fn -> fun.(value) end) end)
    |> Task.await_many(:infinity)
  end

  defp await(fun) do
    if not fun.() do
      Process.sleep(1)
      await(fun)
    end
  end
end
