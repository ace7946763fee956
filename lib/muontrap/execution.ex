# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Execution do
  @moduledoc false

  # One execution of a program on behalf of the calling process: a session, the input that is sent to it,
  # and the limits at which it is stopped. MuonTrap.Runner and MuonTrap.Stream handle its output.

  alias MuonTrap.{Deadline, Error, Input, Options, Result, Session}
  alias MuonTrap.Session.Frame

  @enforce_keys [:session, :input, :deadline, :idle_timeout, :bytes_left]
  defstruct [
    :session,
    :input,
    :deadline,
    :idle_timeout,
    :bytes_left,
    idle_deadline: :infinity,
    discards: false,
    stopped_by: nil
  ]

  @typedoc """
  There is no session any more once the program is gone. `bytes_left` is how much more output may come. `discards`: more
  has come, and all further output is thrown away.
  """
  @type t :: %__MODULE__{
          session: Session.t() | nil,
          input: Input.t(),
          deadline: Deadline.t(),
          idle_timeout: timeout(),
          idle_deadline: Deadline.t(),
          bytes_left: non_neg_integer() | :infinity,
          discards: boolean(),
          stopped_by: Result.limit() | nil
        }

  @typedoc """
  Output, which has to be acknowledged by `ack/2`; the end of the program; or the end of the session without that.
  `:failed`: the
  input failed, and the program has to be abandoned.
  """
  @type event ::
          {:output, :stdout | :stderr, binary()}
          | {:ended, Frame.report()}
          | {:error, Error.t()}
          | {:failed, Input.failure()}

  @doc "Starts the program. After `:timeout`, nothing runs."
  @spec start(Options.t(), Deadline.t()) :: {:ok, t()} | {:error, Error.t()} | :timeout
  def start(options, deadline) do
    with {:ok, session} <- Session.start(options, nil, deadline) do
      {:ok,
       %__MODULE__{
         session: session,
         input: Input.new(options),
         deadline: deadline,
         idle_timeout: options.idle_timeout,
         bytes_left: options.max_output_bytes
       }}
    end
  end

  @doc "From now on, events arrive while the caller is busy."
  @spec receive_ahead(t()) :: t()
  def receive_ahead(execution),
    do: %{execution | session: Session.receive_ahead(execution.session)}

  @doc "Sends input, stops the program at a limit, and waits for the next event meanwhile."
  @spec next(t()) :: {event(), t()}
  # The time that the caller has taken for the output before it does not count as idle.
  def next(%{idle_timeout: :infinity} = execution), do: await(execution)

  def next(execution),
    do: await(%{execution | idle_deadline: Deadline.new(execution.idle_timeout)})

  @doc "As `next/1`, but `:nothing` when no output comes for some milliseconds."
  @spec next_soon(t(), non_neg_integer()) :: {event() | :nothing, t()}
  def next_soon(execution, time) do
    {event, session} = Session.next(execution.session, time)
    execution = %{execution | session: session}

    case event do
      :timeout ->
        {:nothing, execution}

      {:frame, {:input_ack, written, dropped}} ->
        case update(execution, &Input.acknowledged(&1, written, dropped)) do
          {:ok, execution} -> {:nothing, execution}
          {:failed, failure, execution} -> {{:failed, failure}, execution}
        end

      event ->
        handle(event, execution)
    end
  end

  defp await(execution) do
    with {:ok, execution} <- check_deadline(execution),
         {:ok, execution} <- feed(execution) do
      {event, session} = Session.next(execution.session, time_to_wait(execution))
      handle(event, %{execution | session: session})
    else
      {:failed, failure, execution} -> {{:failed, failure}, execution}
    end
  end

  # When the idle time is over, there may be output that has arrived while the input was computed. Then no more input is
  # sent, so that INPUT_ACKs come to an end, and output behind them shows.
  defp feed(execution) do
    if idle?(execution) or not Input.sends?(execution.input),
      do: {:ok, execution},
      else: update(execution, &Input.feed(&1, execution.session))
  end

  # While there may be input to send, this only looks whether something has come.
  defp time_to_wait(execution) do
    if Input.sends?(execution.input),
      do: 0,
      else:
        min(Deadline.remaining(execution.deadline), Deadline.remaining(execution.idle_deadline))
  end

  defp idle?(execution), do: Deadline.over?(execution.idle_deadline)

  defp handle({:frame, {stream, _data}}, %{discards: true} = execution)
       when stream in [:stdout, :stderr],
       do: await(execution)

  defp handle({:frame, {stream, data}}, %{bytes_left: :infinity} = execution)
       when stream in [:stdout, :stderr],
       do: {{:output, stream, data}, execution}

  defp handle({:frame, {stream, data}}, %{bytes_left: left} = execution)
       when stream in [:stdout, :stderr] do
    if byte_size(data) <= left,
      do: {{:output, stream, data}, %{execution | bytes_left: left - byte_size(data)}},
      else: cut_off(stream, data, execution)
  end

  defp handle({:frame, {:input_ack, written, dropped}}, execution) do
    execution
    |> update(&Input.acknowledged(&1, written, dropped))
    |> await_more()
  end

  defp handle(:timeout, execution) do
    if idle?(execution),
      do: execution |> stop(:idle_timeout) |> await_more(),
      else: await(execution)
  end

  defp handle({:frame, {:exited, report}}, execution) do
    report = report(report, execution)
    Session.close(execution.session, report)
    finish(execution, {:ended, report})
  end

  defp handle({:frame, {:failed, failed}}, execution),
    do: finish(execution, {:error, Session.given_up(execution.session, failed)})

  defp handle({:frame, _unexpected}, execution), do: handle({:lost, nil}, execution)

  defp handle({:lost, exit_status}, execution),
    do: finish(execution, {:error, Session.lost(execution.session, exit_status)})

  defp await_more({:ok, execution}), do: await(execution)
  defp await_more({:failed, failure, execution}), do: {{:failed, failure}, execution}

  # More output than permitted has come.
  defp cut_off(stream, data, %{bytes_left: left} = execution) do
    Session.send_frame(execution.session, :discard)

    case stop(%{execution | bytes_left: 0, discards: true}, :max_output) do
      {:ok, execution} when left > 0 -> {{:output, stream, binary_part(data, 0, left)}, execution}
      stopped -> await_more(stopped)
    end
  end

  defp report(report, execution) do
    report = Map.put(report, :input_bytes, Session.input_bytes(execution.session))
    %{report | exit_status: execution.stopped_by || report.exit_status}
  end

  # There may be input that nobody reads any more.
  defp finish(execution, event) do
    case update(%{execution | session: nil}, &Input.halt/1) do
      {:ok, execution} -> {event, execution}
      {:failed, failure, execution} -> {{:failed, failure}, execution}
    end
  end

  # While messages keep coming, the timeout of a receive does not expire.
  defp check_deadline(%{deadline: :infinity} = execution), do: {:ok, execution}

  defp check_deadline(execution) do
    if Deadline.over?(execution.deadline), do: stop(execution, :timeout), else: {:ok, execution}
  end

  # Output that the program writes before it is gone still comes. It is not told that the input is over, since it
  # would take that for all of the input.
  defp stop(execution, limit) do
    Session.send_frame(execution.session, :stop)

    update(
      %{
        execution
        | deadline: :infinity,
          idle_timeout: :infinity,
          idle_deadline: :infinity,
          stopped_by: execution.stopped_by || limit
      },
      &Input.halt/1
    )
  end

  defp update(execution, fun) do
    case fun.(execution.input) do
      {:ok, input} -> {:ok, %{execution | input: input}}
      {:failed, failure, input} -> {:failed, failure, %{execution | input: input}}
    end
  end

  @doc "Says that `count` bytes of output were handled."
  @spec ack(t(), non_neg_integer()) :: :ok
  def ack(execution, count), do: Session.ack(execution.session, count)

  @doc "Stops the program, if it is not gone, and waits until it is. Then ends the input, of which a failure is raised."
  @spec abandon(t()) :: :ok
  def abandon(execution) do
    if execution.session, do: Session.abandon(execution.session)

    case Input.halt(execution.input) do
      {:ok, _input} -> :ok
      {:failed, failure, _input} -> reraise(failure)
    end
  end

  @doc "Raises, throws or exits as the code of the user has done."
  @spec reraise(Input.failure()) :: no_return()
  def reraise({kind, reason, stacktrace}), do: :erlang.raise(kind, reason, stacktrace)
end
