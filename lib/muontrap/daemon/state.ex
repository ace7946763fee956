# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.State do
  @moduledoc false

  alias MuonTrap.Daemon.Output
  alias MuonTrap.{Cgroup, Error, Options, Session}
  alias MuonTrap.Output.LineBuffer
  alias MuonTrap.Session.Frame

  @enforce_keys [:options, :lines, :log]
  defstruct [
    :options,
    :lines,
    :log,
    :session,
    :os_pids,
    :waiter,
    :started_at,
    :todo,
    :report,
    stdout_byte_count: 0,
    stderr_byte_count: 0,
    line_count: 0
  ]

  @typedoc """
  What is next, all of which calls functions of the user: lines to log, and how many bytes to acknowledge
  then, or with what reason to end.
  """
  @type todo ::
          {:log, lines :: [binary()], bytes :: non_neg_integer()}
          | {:end, lines :: [binary()], Frame.report() | Error.t()}

  @typedoc """
  The state of a daemon. `report` is how its program ended.
  """
  @type t :: %__MODULE__{
          options: Options.t(),
          lines: LineBuffer.t(),
          log: Output.log(),
          session: Session.t() | nil,
          os_pids: {helper :: pos_integer(), program :: pos_integer()} | nil,
          waiter: pid() | nil,
          started_at: integer() | nil,
          todo: todo() | nil,
          report: Frame.report() | nil,
          stdout_byte_count: non_neg_integer(),
          stderr_byte_count: non_neg_integer(),
          line_count: non_neg_integer()
        }

  @doc "The state of a daemon whose program is yet to be started."
  @spec new(Options.t()) :: t()
  def new(options) do
    # The path is known before the program is started.
    options = Cgroup.choose(options)

    %__MODULE__{
      options: options,
      lines: LineBuffer.new(options.log_max_line_bytes),
      log: Output.log(options)
    }
  end

  @doc "The program was started."
  @spec started(t(), Session.t()) :: t()
  def started(state, session) do
    # The environment has served its purpose, and may hold secrets that should not show in logs.
    options = %{state.options | env: []}
    {helper, program} = {session.os_pid, session.program_pid}
    %{state | options: options, session: session, os_pids: {helper, program}, started_at: now()}
  end

  @doc "Some output has come: it is counted, and its lines are to be logged."
  @spec output(t(), :stdout | :stderr, binary()) :: t()
  def output(state, stream, data) do
    {lines, buffer} =
      if state.log, do: LineBuffer.push(state.lines, data), else: {[], state.lines}

    size = byte_size(data)
    count(%{state | lines: buffer, todo: {:log, lines, size}}, stream, size)
  end

  defp count(state, :stdout, bytes),
    do: %{state | stdout_byte_count: state.stdout_byte_count + bytes}

  defp count(state, :stderr, bytes),
    do: %{state | stderr_byte_count: state.stderr_byte_count + bytes}

  @doc "The session is over. What is left of the output is to be logged."
  @spec ended(t(), Frame.report() | Error.t()) :: t()
  def ended(state, how) do
    {lines, buffer} = LineBuffer.flush(state.lines)
    report = if is_struct(how), do: nil, else: how
    %{state | session: nil, lines: buffer, report: report, todo: {:end, lines, how}}
  end

  @doc "Some lines were logged."
  @spec logged(t(), [binary()]) :: t()
  def logged(%{log: nil} = state, _lines), do: state
  def logged(state, lines), do: %{state | line_count: state.line_count + length(lines)}

  @doc "What a crash report and `:sys.get_status/1` show: no output, and no environment."
  @spec summary(t()) :: map()
  def summary(state) do
    {helper, program} = state.os_pids || {nil, nil}
    report = state.report || %{exit_status: nil, signal: nil}

    %{
      command: state.options.command,
      args: state.options.args,
      os_pid: helper,
      program_os_pid: program,
      exit_status: report.exit_status,
      signal: report.signal
    }
  end

  @doc "What `MuonTrap.Daemon.statistics/1` returns."
  @spec statistics(t()) :: MuonTrap.Daemon.statistics()
  def statistics(state) do
    %{
      output_byte_count: state.stdout_byte_count + state.stderr_byte_count,
      stdout_byte_count: state.stdout_byte_count,
      stderr_byte_count: state.stderr_byte_count,
      line_count: state.line_count,
      uptime_ms: if(state.started_at, do: now() - state.started_at, else: 0),
      cgroup: %{}
    }
  end

  defp now, do: System.monotonic_time(:millisecond)
end
