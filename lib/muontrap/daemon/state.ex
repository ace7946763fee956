# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.State do
  @moduledoc false

  # The state of a daemon as a value. These functions have no side effects; MuonTrap.Daemon.Server acts
  # on what is `pending`.

  alias MuonTrap.Daemon.{Backoff, Output, Readiness, Watchdog}
  alias MuonTrap.{Cgroup, Error, Info, Input, Options, Session}
  alias MuonTrap.Output.LineBuffer
  alias MuonTrap.Session.Frame

  @enforce_keys [:options, :lines, :handlers, :input]
  defstruct [
    :options,
    :lines,
    :handlers,
    :input,
    :session,
    :os_pids,
    :waiter,
    :started_at,
    :pending,
    :report,
    :backoff,
    :held,
    :readiness,
    :watchdog,
    :failure,
    notified: %{status: nil, main_pid: nil, stopping: false},
    stdout_byte_count: 0,
    stderr_byte_count: 0,
    line_count: 0
  ]

  @typedoc """
  The next action, which calls functions of the user: handling output, and then either acknowledging a number
  of bytes, or stopping with a reason that depends on how the program ended.
  """
  @type pending ::
          {:output, [output()], bytes :: non_neg_integer()}
          | {:end, [output()], Frame.report() | Error.t()}

  @typedoc "Output with the key of its handler, which gets each of the binaries."
  @type output :: {:chunk | :line, Output.stream(), [binary()]}

  @typedoc """
  The state of a daemon. `report` is the exit report of its program; `held` is the reason to stop with once the timer has
  expired; `failure` is why the program is being stopped; `notified` is what it has told.
  """
  @type t :: %__MODULE__{
          options: Options.t(),
          lines: %{required(Output.stream()) => LineBuffer.t()},
          handlers: %{required(Output.stream()) => Output.handlers()},
          input: Input.Queue.t(),
          backoff: Backoff.key(),
          readiness: Readiness.t(),
          watchdog: Watchdog.t() | nil,
          failure: Error.t() | nil,
          notified: map(),
          held: {timer :: reference(), reason :: term()} | nil,
          session: Session.t() | nil,
          os_pids: {helper :: pos_integer(), program :: pos_integer()} | nil,
          waiter: pid() | nil,
          started_at: integer() | nil,
          pending: pending() | nil,
          report: Frame.report() | nil,
          stdout_byte_count: non_neg_integer(),
          stderr_byte_count: non_neg_integer(),
          line_count: non_neg_integer()
        }

  @doc "The initial state: the program is not started yet."
  @spec new(Options.t(), starter :: {pid(), reference()}) :: t()
  def new(options, starter) do
    # Now, so that MuonTrap.Daemon.cgroup_path/1 has it before the program is started.
    options = Cgroup.choose(options)

    lines = LineBuffer.new(options.log_max_line_bytes)

    %__MODULE__{
      options: options,
      lines: %{stdout: lines, stderr: lines},
      handlers: Output.handlers(options),
      input: Input.Queue.new(options),
      backoff: Backoff.key(options),
      readiness: Readiness.new(options, starter),
      watchdog: Watchdog.new(options)
    }
  end

  @doc "Sets the session of a program that was started."
  @spec started(t(), Session.t()) :: t()
  def started(state, session) do
    # The environment is no longer needed, and may contain secrets.
    options = %{state.options | env: []}

    %{
      state
      | options: options,
        session: session,
        os_pids: {session.os_pid, session.program_pid},
        started_at: Info.now(),
        input: Input.Queue.started(state.input, session)
    }
  end

  @doc "Counts some output, and makes its handling pending."
  @spec output(t(), Output.stream(), binary()) :: t()
  def output(state, stream, data) do
    handlers = Map.fetch!(state.handlers, stream)
    lines? = handlers.line != nil or Readiness.wants_lines?(state.readiness)
    {lines, state} = if lines?, do: push(state, stream, data), else: {[], state}
    output = if handlers.chunk, do: [{:chunk, stream, [data]} | lines], else: lines
    size = byte_size(data)
    count(%{state | pending: {:output, output, size}}, stream, size)
  end

  defp push(state, stream, data) do
    {lines, buffer} = state.lines |> Map.fetch!(stream) |> LineBuffer.push(data)
    {of_stream(lines, stream), put_in(state.lines[stream], buffer)}
  end

  defp of_stream([], _stream), do: []
  defp of_stream(lines, stream), do: [{:line, stream, lines}]

  defp flush(state, stream) do
    {lines, _buffer} = state.lines |> Map.fetch!(stream) |> LineBuffer.flush()
    of_stream(lines, stream)
  end

  defp count(state, :stdout, bytes),
    do: %{state | stdout_byte_count: state.stdout_byte_count + bytes}

  defp count(state, :stderr, bytes),
    do: %{state | stderr_byte_count: state.stderr_byte_count + bytes}

  @doc "Removes the session, which has ended, and makes the rest of the output pending."
  @spec ended(t(), Frame.report() | Error.t()) :: t()
  def ended(state, how) do
    output = flush(state, :stdout) ++ flush(state, :stderr)
    report = if is_struct(how), do: nil, else: how
    input = Input.Queue.ended(state.input)
    %{state | session: nil, input: input, report: report, pending: {:end, output, how}}
  end

  @doc "Takes note of output that was handled."
  @spec handled(t(), [output()]) :: t()
  def handled(state, output) do
    lines = for {:line, stream, lines} <- output, handles?(state, stream), do: length(lines)
    %{state | pending: nil, line_count: state.line_count + Enum.sum(lines)}
  end

  defp handles?(state, stream), do: state.handlers[stream].line != nil

  @doc "What `MuonTrap.Daemon.info/1` returns, and crash reports show, without output and environment."
  @spec info(t()) :: MuonTrap.Process.info()
  def info(state) do
    Info.new(%{
      options: state.options,
      os_pids: state.os_pids,
      started_at: state.started_at,
      report: state.report,
      input: state.input,
      stdout_bytes: state.stdout_byte_count,
      stderr_bytes: state.stderr_byte_count
    })
  end

  @doc "Milliseconds since the program was started; 0 before that."
  @spec uptime_ms(t()) :: non_neg_integer()
  def uptime_ms(%{started_at: nil}), do: 0
  def uptime_ms(state), do: Info.now() - state.started_at

  @doc "The result of `MuonTrap.Daemon.statistics/1`, except the cgroup."
  @spec statistics(t()) :: MuonTrap.Daemon.statistics()
  def statistics(state) do
    %{
      output_byte_count: state.stdout_byte_count + state.stderr_byte_count,
      stdout_byte_count: state.stdout_byte_count,
      stderr_byte_count: state.stderr_byte_count,
      line_count: state.line_count,
      uptime_ms: uptime_ms(state),
      cgroup: %{}
    }
  end
end
