# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Telemetry do
  @moduledoc false

  # The events of programs, for the library :telemetry. It is not a dependency: whether it is there is checked once, when
  # the application starts. The documentation of MuonTrap lists the events.

  alias MuonTrap.{Error, Programs}
  alias MuonTrap.Session.Frame

  @available {__MODULE__, :available}

  @doc "Checks whether there is a module `:telemetry`, for all events from now on."
  @spec detect() :: :ok
  def detect do
    available? = Code.ensure_loaded?(:telemetry) and function_exported?(:telemetry, :execute, 3)

    :persistent_term.put(@available, available?)
  end

  @doc "Whether events are sent."
  @spec available?() :: boolean()
  def available?, do: :persistent_term.get(@available, false)

  @doc "Says that a program was started."
  @spec started(Programs.program()) :: :ok
  def started(program) do
    if available?() do
      measurements = %{system_time: System.system_time(), monotonic_time: program.started_at}
      execute(:start, measurements, metadata(program))
    end

    :ok
  end

  @ended_measurements [
    :user_time_us,
    :system_time_us,
    :peak_rss_bytes,
    :cgroup_peak_bytes,
    :swept,
    :survivors
  ]
  @ended_metadata [:exit_status, :signal, :core_dumped, :oom_killed, :sigkill_needed]

  @doc "Says that a program has ended, with its exit report."
  @spec ended(Programs.program(), Frame.report()) :: :ok
  def ended(program, report) do
    if available?() do
      measurements = Map.merge(measurements(program), Map.take(report, @ended_measurements))
      metadata = Map.merge(metadata(program), Map.take(report, @ended_metadata))
      execute(:stop, measurements, metadata)
    end

    :ok
  end

  @doc "Says that a program could not be started, or that its session is lost."
  @spec failed(Programs.program(), Error.t() | :timeout) :: :ok
  def failed(program, reason) do
    if available?() do
      metadata = Map.put(metadata(program), :reason, reason(reason))
      execute(:exception, measurements(program), metadata)
    end

    :ok
  end

  defp reason(:timeout), do: :timeout
  defp reason(error), do: Error.reason(error)

  defp measurements(program) do
    now = System.monotonic_time()

    program
    |> Programs.bytes()
    |> Map.merge(%{duration: now - program.started_at, monotonic_time: now})
  end

  # Nothing of the environment and of the input.
  defp metadata(program),
    do:
      Map.take(program, [:kind, :command, :args, :owner, :os_pid, :program_os_pid, :cgroup_path])

  # Called by its name at run time, so that the compiler does not look for it.
  defp execute(event, measurements, metadata),
    do: apply(:telemetry, :execute, [[:muontrap, :program, event], measurements, metadata])
end
