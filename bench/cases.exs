# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Cases do
  @moduledoc false

  # The budget, one row for each figure: the limit that a release has to keep, and the target. The
  # functions that measure are in bench/cases/. Their first argument is the number of rounds that
  # is enough, or `:infinity`.

  alias Bench.{Commands, Conversations, Daemons, Measure, Output, Streams}

  @type t :: %{
          name: String.t(),
          title: String.t(),
          unit: String.t(),
          better: :less | :more,
          limit: number(),
          target: number(),
          run: (Measure.enough() -> Measure.result())
        }

  @window [stdio_window: 1_048_576]

  @doc "All rows except those that need a control group."
  @spec all() :: [t()]
  def all, do: commands() ++ output() ++ streams() ++ conversations() ++ daemons() ++ stops()

  @doc "The rows that need a control group."
  @spec cgroup() :: [t()]
  def cgroup do
    {version, limit} =
      if File.exists?("/sys/fs/cgroup/cgroup.controllers"), do: {"v2", 1.15}, else: {"v1", 1.2}

    title = "`cmd(\"true\")` in a cgroup #{version}, time ÷ without"
    [row("cgroup-#{version}", title, at_most(limit, 1.1), &Commands.cgroup/1)]
  end

  defp commands do
    true_path = System.find_executable("true")
    echo_path = System.find_executable("echo")

    [
      time("true", "`cmd(\"true\")`", 0.95, 0.75, &Commands.latency(&1, "true", [])),
      time("echo", "`cmd(\"echo\", [\"hi\"])`", 0.95, 0.8, &Commands.latency(&1, "echo", ["hi"])),
      time("true-path", "`#{true_path}`", 1.2, 0.95, &Commands.latency(&1, true_path, [])),
      time("echo-path", "`#{echo_path} hi`", 1.2, 0.95, &Commands.latency(&1, echo_path, ["hi"])),
      speed("callers-8", "`true` by 8 callers at once", 1.0, 1.3, &Commands.concurrent(&1, 8)),
      speed("callers-64", "`true` by 64 callers at once", 1.0, 1.3, &Commands.concurrent(&1, 64))
    ]
  end

  defp output do
    [
      speed("counter", "400 MB into a counter", 0.3, 0.55, &Output.counter(&1, [])),
      speed("counter-1m", "the same, window 1 MiB", 0.5, 0.75, &Output.counter(&1, @window)),
      speed("binary", "400 MB into a binary", 0.5, 0.8, &Output.binary(&1, [])),
      speed("binary-1m", "the same, window 1 MiB", 0.9, 1.0, &Output.binary(&1, @window)),
      speed(
        "file",
        "400 MB into `File.stream!`, a file in memory",
        0.5,
        0.9,
        &Output.file(&1, [])
      ),
      speed("file-1m", "the same, window 1 MiB", 0.7, 1.0, &Output.file(&1, @window)),
      speed("writes", "300,000 writes of a line", 0.9, 1.1, &Output.writes/1),
      row(
        "lines",
        "2,000,000 lines to a `logger_fun`, speed ÷ a port that splits",
        at_least(1.3, 1.7),
        &Output.lines/1
      )
    ]
  end

  defp streams do
    [
      speed("stream", "400 MB from `stream!`, counted", 0.8, 1.0, &Streams.stream(&1, [])),
      row(
        "stream-counter",
        "the same, speed ÷ `System.cmd` into a counter",
        at_least(0.4, 0.75),
        &Streams.stream(&1, into: struct(Bench.Counter))
      ),
      row(
        "gzip",
        "400 MB from an Enumerable through `gzip -c`, speed ÷ a pipeline of the shell",
        at_least(0.8, 1.0),
        &Streams.gzip/1
      ),
      row("gzip-port", "the same, speed ÷ a port", at_least(0.9, 1.1), &Streams.gzip_port/1)
    ]
  end

  defp conversations do
    title = "100,000 round trips of 64 bytes through `cat`, time ÷ a port"
    [row("round-trips", title, at_most(1.2, 1.0), &Conversations.round_trips/1)]
  end

  defp daemons do
    [
      row(
        "started",
        "200 daemons started together until all run, time ÷ ports",
        at_most(1.2, 1.0),
        &Daemons.start_together/1
      ),
      row(
        "daemons",
        "1,000 daemons started and stopped, time ÷ ports",
        at_most(1.3, 1.0),
        &Daemons.start_and_stop(&1, 100)
      ),
      row(
        "daemons-8",
        "the same, with eight supervisors, time ÷ ports",
        at_most(1.4, 1.1),
        &Daemons.start_and_stop(&1, 8)
      ),
      row(
        "memory",
        "private dirty memory of an idle session",
        at_most(48, 24, "KiB"),
        &Daemons.memory/1
      ),
      row(
        "wakeups",
        "wake-ups of ten idle sessions and the fork server in 10 s",
        at_most(0, 0),
        &Daemons.wakeups/1
      )
    ]
  end

  defp stops do
    [
      row("gone", "owner killed to program gone", at_most(0.7, 0.3, "ms"), &Daemons.gone/1),
      row(
        "crowded",
        "stop with two children beside 5,000 processes, time ÷ without these",
        at_most(1.5, 1.1),
        &Daemons.stop_in_a_crowd/1
      ),
      row(
        "stop-200",
        "200 such stops at once beside 5,000 processes",
        at_most(1, 0.3, "s"),
        &Daemons.stop_many/1
      )
    ]
  end

  defp time(name, what, limit, target, run),
    do: row(name, what <> ", time ÷ `System.cmd`", at_most(limit, target), run)

  defp speed(name, what, limit, target, run),
    do: row(name, what <> ", speed ÷ `System.cmd`", at_least(limit, target), run)

  defp row(name, title, bounds, run), do: Map.merge(bounds, %{name: name, title: title, run: run})

  defp at_most(limit, target, unit \\ ""),
    do: %{better: :less, limit: limit, target: target, unit: unit}

  defp at_least(limit, target), do: %{better: :more, limit: limit, target: target, unit: ""}
end
