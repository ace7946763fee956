# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Execution do
  @moduledoc false

  # One execution of a program on behalf of the calling process: a session, the input that is sent to it,
  # and the deadline at which it is stopped. MuonTrap.Runner handles its output.

  alias MuonTrap.{Error, Input, Options, Session}
  alias MuonTrap.Session.Frame

  @enforce_keys [:session, :input, :deadline]
  defstruct [:session, :input, :deadline, timed_out: false]

  @typedoc "There is no session any more once the program is gone."
  @type t :: %__MODULE__{
          session: Session.t() | nil,
          input: Input.t(),
          deadline: deadline(),
          timed_out: boolean()
        }

  @typedoc "A point of monotonic time, in milliseconds."
  @type deadline :: integer() | :infinity

  @typedoc """
  Output, which has to be acknowledged; the end of the program; or the end of the session without that. `:failed`: the
  input failed, and the program has to be abandoned.
  """
  @type event ::
          {:output, :stdout | :stderr, binary()}
          | {:ended, Frame.report()}
          | {:error, Error.t()}
          | {:failed, Input.failure()}

  @doc "The deadline of a timeout that begins now."
  @spec deadline(timeout()) :: deadline()
  def deadline(:infinity), do: :infinity
  def deadline(timeout), do: now() + timeout

  @doc "Starts the program. After `:timeout`, nothing runs."
  @spec start(Options.t(), deadline()) :: {:ok, t()} | {:error, Error.t()} | :timeout
  def start(options, deadline) do
    with {:ok, session} <- Session.start(options, nil, remaining(deadline)),
         do: {:ok, %__MODULE__{session: session, input: Input.new(options), deadline: deadline}}
  end

  @doc "Sends input, stops the program at the deadline, and waits for the next event meanwhile."
  @spec next(t()) :: {event(), t()}
  def next(execution) do
    with {:ok, execution} <- check_deadline(execution),
         {:ok, execution} <- update(execution, &Input.feed(&1, execution.session)) do
      # While there may be input to send, this only looks whether something has come.
      timeout = if Input.sends?(execution.input), do: 0, else: remaining(execution.deadline)
      {event, session} = Session.next(execution.session, timeout)
      handle(event, %{execution | session: session})
    else
      {:failed, failure, execution} -> {{:failed, failure}, execution}
    end
  end

  defp handle({:frame, {stream, data}}, execution) when stream in [:stdout, :stderr],
    do: {{:output, stream, data}, execution}

  defp handle({:frame, {:input_ack, written, dropped}}, execution) do
    case update(execution, &Input.acknowledged(&1, written, dropped)) do
      {:ok, execution} -> next(execution)
      {:failed, failure, execution} -> {{:failed, failure}, execution}
    end
  end

  defp handle(:timeout, execution), do: next(execution)

  defp handle({:frame, {:exited, report}}, execution) do
    Session.close(execution.session)
    finish(execution, {:ended, report(report, execution)})
  end

  defp handle({:frame, {:failed, failed}}, execution),
    do: finish(execution, {:error, Session.given_up(execution.session, failed)})

  defp handle({:frame, _unexpected}, execution), do: handle({:lost, nil}, execution)

  defp handle({:lost, exit_status}, execution),
    do: finish(execution, {:error, Session.lost(execution.session, exit_status)})

  defp report(report, execution) do
    report = Map.put(report, :input_bytes, execution.input.written)
    if execution.timed_out, do: %{report | exit_status: :timeout}, else: report
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
    if remaining(execution.deadline) == 0, do: time_out(execution), else: {:ok, execution}
  end

  # Output that the program writes before it is gone still comes. It is not told that the input is over, since it
  # would take that for all of the input.
  defp time_out(execution) do
    Session.stop(execution.session)
    update(%{execution | deadline: :infinity, timed_out: true}, &Input.halt/1)
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

  defp remaining(:infinity), do: :infinity
  defp remaining(deadline), do: max(deadline - now(), 0)

  defp now, do: System.monotonic_time(:millisecond)
end
