# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Cases do
  @moduledoc false

  # The budget: what is measured, what it must be, and what it should be.

  alias Bench.Measure
  alias MuonTrap.Daemon

  @type t :: %{
          name: String.t(),
          title: String.t(),
          unit: String.t(),
          better: :less | :more,
          must: number(),
          aim: number(),
          run: function()
        }

  @doc "All of them. `musl?`: the helper does without glibc, of which more is expected."
  @spec all(boolean()) :: [t()]
  def all(musl?) do
    [
      cost(
        "true",
        "`cmd(\"true\")`, time ÷ `System.cmd`",
        if(musl?, do: 1.35, else: 1.5),
        1.2,
        fn ->
          latency("true", [])
        end
      ),
      cost(
        "echo",
        "`cmd(\"echo\", [\"hi\"])`, time ÷ `System.cmd`",
        if(musl?, do: 1.35, else: 1.5),
        1.2,
        fn ->
          latency("echo", ["hi"])
        end
      ),
      cost(
        "helper",
        "`muontrap -- true`, time ÷ `true` alone",
        if(musl?, do: 1.6, else: 2.0),
        1.4,
        &helper/0
      ),
      speed("bytes", "400 MB of zeroes, speed ÷ `System.cmd`", 0.35, 0.6, fn ->
        throughput([])
      end),
      speed("bytes-1m", "the same with `stdio_window: 1_048_576`", 0.55, 0.9, fn ->
        throughput(stdio_window: 1_048_576)
      end),
      speed("writes", "300,000 writes of a line, speed ÷ `System.cmd`", 0.9, 1.0, &writes/0),
      speed(
        "lines",
        "2,000,000 lines to a `logger_fun`, speed ÷ a port that splits",
        0.7,
        0.9,
        &lines/0
      ),
      absolute("memory", "private dirty memory of an idle helper", "KiB", 92, 64, &memory/0),
      absolute("wakeups", "wake-ups of an idle helper in 10 s", "", 0, 0, &wakeups/0),
      absolute("gone", "owner killed to program gone", "ms", 1.0, 0.7, &gone/0),
      cost(
        "daemons",
        "1,000 daemons started and stopped, time ÷ 1,000 ports",
        1.6,
        1.3,
        &daemons/0
      )
    ]
  end

  @doc "Those that need a control group."
  @spec cgroup() :: [t()]
  def cgroup do
    version = if File.exists?("/sys/fs/cgroup/cgroup.controllers"), do: "v2", else: "v1"

    [
      cost(
        "cgroup",
        "`cmd(\"true\")` in a cgroup #{version}, time ÷ without",
        1.3,
        1.1,
        &cgrouped/0
      )
    ]
  end

  defp cost(name, title, must, aim, run),
    do: %{name: name, title: title, unit: "", better: :less, must: must, aim: aim, run: run}

  defp speed(name, title, must, aim, run),
    do: %{name: name, title: title, unit: "", better: :more, must: must, aim: aim, run: run}

  defp absolute(name, title, unit, must, aim, run),
    do: %{name: name, title: title, unit: unit, better: :less, must: must, aim: aim, run: run}

  defp latency(command, args) do
    Measure.pairs(
      300,
      :cost,
      fn -> {_, 0} = MuonTrap.cmd(command, args) end,
      fn -> {_, 0} = System.cmd(command, args) end
    )
  end

  defp helper do
    program = System.find_executable("true")
    {text, 0} = System.cmd(watch(), ["spawn", "500", MuonTrap.muontrap_path(), program])

    text
    |> String.split("\n", trim: true)
    |> Enum.map(fn line ->
      [alone, helped] = String.split(line)
      {String.to_integer(helped), String.to_integer(alone)}
    end)
    |> Measure.of_pairs(:cost)
  end

  defp throughput(opts) do
    args = ["-c", "400000000", "/dev/zero"]

    Measure.pairs(
      7,
      :speed,
      fn -> {_, 0} = MuonTrap.cmd("head", args, opts) end,
      fn -> {_, 0} = System.cmd("head", args) end
    )
  end

  # With a format of its own and a line buffer, seq writes each number by itself.
  defp writes do
    args = ["-oL", "seq", "-f", "%.0f", "300000"]

    Measure.pairs(
      7,
      :speed,
      fn -> {_, 0} = MuonTrap.cmd("stdbuf", args) end,
      fn -> {_, 0} = System.cmd("stdbuf", args) end
    )
  end

  @lines 2_000_000

  defp lines do
    args = ["1", Integer.to_string(@lines)]
    Measure.pairs(5, :speed, fn -> daemon_lines(args) end, fn -> port_lines(args) end)
  end

  defp daemon_lines(args) do
    counter = :counters.new(1, [])
    count = fn _line -> :counters.add(counter, 1, 1) end
    {:ok, daemon} = Daemon.start_link("seq", args, logger_fun: count)
    ref = Process.monitor(daemon)

    receive do
      {:DOWN, ^ref, :process, ^daemon, _reason} -> @lines = :counters.get(counter, 1)
    end
  end

  defp port_lines(args) do
    counter = :counters.new(1, [])
    count = fn _line -> :counters.add(counter, 1, 1) end
    seq = System.find_executable("seq")
    options = [:binary, :exit_status, args: args]

    {owner, ref} =
      spawn_monitor(fn ->
        port = Port.open({:spawn_executable, seq}, options)
        split_lines(port, :binary.compile_pattern("\n"), "", count)
      end)

    receive do
      {:DOWN, ^ref, :process, ^owner, :normal} -> @lines = :counters.get(counter, 1)
    end
  end

  defp split_lines(port, newline, rest, fun) do
    receive do
      {^port, {:data, data}} ->
        split_lines(
          port,
          newline,
          each_line(:binary.split(data, newline, [:global]), rest, fun),
          fun
        )

      {^port, {:exit_status, 0}} ->
        "" = rest
    end
  end

  defp each_line([last], rest, _fun), do: rest <> last

  defp each_line([line | lines], rest, fun) do
    fun.(rest <> line)
    each_line(lines, "", fun)
  end

  # Pages of a file that was written just now are dirty, too, until they are on the disk.
  defp memory do
    {"", 0} = System.cmd("sync", [])

    with_sleeper(fn daemon ->
      pid = Daemon.os_pid(daemon)
      {:ok, rollup} = File.read("/proc/#{pid}/smaps_rollup")
      [_, size] = Regex.run(~r/^Private_Dirty:\s+(\d+) kB/m, rollup)
      Measure.alone([String.to_integer(size)])
    end)
  end

  defp wakeups do
    with_sleeper(fn daemon ->
      before = switches(Daemon.os_pid(daemon))
      Process.sleep(10_000)
      Measure.alone([switches(Daemon.os_pid(daemon)) - before])
    end)
  end

  defp switches(pid) do
    {:ok, status} = File.read("/proc/#{pid}/status")
    [_, voluntary] = Regex.run(~r/^voluntary_ctxt_switches:\s+(\d+)/m, status)
    String.to_integer(voluntary)
  end

  defp with_sleeper(fun) do
    {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
    # Until it has nothing more to do.
    Process.sleep(500)
    result = fun.(daemon)
    GenServer.stop(daemon)
    result
  end

  defp gone do
    Measure.alone(for(_ <- 1..100, do: gone_once()))
  end

  defp gone_once do
    {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
    Process.unlink(daemon)
    args = ["gone", Integer.to_string(Daemon.program_os_pid(daemon))]
    port = Port.open({:spawn_executable, watch()}, [:binary, :exit_status, line: 80, args: args])
    "watching" = line(port)
    start = :os.perf_counter(:nanosecond)
    Process.exit(daemon, :kill)
    ended = String.to_integer(line(port))
    receive(do: ({^port, {:exit_status, 0}} -> :ok))
    (ended - start) / 1_000_000
  end

  defp line(port), do: receive(do: ({^port, {:data, {:eol, line}}} -> line))

  @daemons 1000

  defp daemons do
    Measure.pairs(9, :cost, &start_and_stop_daemons/0, &open_and_close_ports/0)
  end

  # To start one waits until its program runs, and to stop one until it is gone. Ports wait for
  # nothing, so that many programs start at a time, and so many are started and stopped here at a
  # time.
  @supervisors 100

  defp start_and_stop_daemons do
    1..@supervisors
    |> at_once(fn _number -> start_daemons(div(@daemons, @supervisors)) end)
    |> at_once(&DynamicSupervisor.stop/1)
  end

  defp at_once(values, fun) do
    values
    |> Enum.map(fn value -> Task.async(fn -> fun.(value) end) end)
    |> Task.await_many(:infinity)
  end

  defp start_daemons(count) do
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
    Process.unlink(supervisor)

    cat = System.find_executable("cat")

    for _ <- 1..count,
        do: {:ok, _} = DynamicSupervisor.start_child(supervisor, {Daemon, [cat, []]})

    supervisor
  end

  # Ports know nothing of their programs' ends, so those are looked for.
  defp open_and_close_ports do
    cat = System.find_executable("cat")
    ports = for _ <- 1..@daemons, do: Port.open({:spawn_executable, cat}, [:binary])
    pids = for port <- ports, do: port |> Port.info(:os_pid) |> elem(1)
    Enum.each(ports, &Port.close/1)
    for pid <- pids, do: await_gone("/proc/#{pid}")
  end

  defp await_gone(directory) do
    if File.dir?(directory) do
      Process.sleep(1)
      await_gone(directory)
    end
  end

  defp cgrouped do
    Measure.pairs(
      200,
      :cost,
      fn -> {_, 0} = MuonTrap.cmd("true", [], cgroup_base: "muontrap-bench") end,
      fn -> {_, 0} = MuonTrap.cmd("true", []) end
    )
  end

  @doc "The program that sees what the BEAM does not. `scripts/bench` builds it."
  @spec watch() :: Path.t()
  def watch, do: System.fetch_env!("MUONTRAP_BENCH_WATCH")
end
