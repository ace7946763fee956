# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Runner do
  @moduledoc false

  # Runs one program to completion in the calling process, for MuonTrap.cmd/3 and MuonTrap.run/3.

  alias MuonTrap.{Error, Options, Result, Session, Startup}
  alias MuonTrap.Output.{Collector, LineBuffer}

  @enforce_keys [:session, :fun, :lines, :deadline]
  defstruct [:session, :fun, :lines, :deadline, timed_out: false]

  @typep state :: %__MODULE__{
           session: Session.t() | nil,
           fun: Collector.collect(),
           lines: LineBuffer.t() | nil,
           deadline: integer() | :infinity,
           timed_out: boolean()
         }

  @doc "Runs the program. The reason of an error is to be raised."
  @spec run(Options.t()) :: {:ok, Result.t()} | {:error, :enoent | :eacces | Error.t()}
  def run(options) do
    deadline = deadline(options.timeout)
    Startup.ensure_started()
    {initial, fun} = Collector.into(options.into, options.lines)

    case Session.start(options, nil, remaining(deadline)) do
      {:ok, session} ->
        lines = options.lines && LineBuffer.new(:infinity)

        # The deadline may have passed while the program was started.
        %__MODULE__{session: session, fun: fun, lines: lines, deadline: deadline}
        |> check_deadline()
        |> collect(initial)

      {:error, error} ->
        fail(fun, initial, error)

      :timeout ->
        {:ok, %Result{exit_status: :timeout, output: fun.(initial, :done)}}
    end
  end

  defp deadline(:infinity), do: :infinity
  defp deadline(timeout), do: now() + timeout

  @spec collect(state(), term()) :: {:ok, Result.t()} | {:error, Error.t()}
  defp collect(state, acc) do
    {event, session} = Session.next(state.session, remaining(state.deadline))
    state = %{state | session: session}

    case event do
      {:frame, {stream, data}} when stream in [:stdout, :stderr] ->
        {acc, state} = add(state, acc, data)
        Session.ack(session, byte_size(data))
        state |> check_deadline() |> collect(acc)

      {:frame, {:exited, report}} ->
        finish(state, acc, report)

      :timeout ->
        state |> time_out() |> collect(acc)

      {:frame, {:input_ack, _written, _dropped}} ->
        collect(state, acc)

      {:frame, {:failed, failed}} ->
        fail(state.fun, acc, Session.given_up(session, failed))

      {:frame, _unexpected} ->
        fail(state.fun, acc, Session.lost(session, nil))

      {:lost, exit_status} ->
        fail(state.fun, acc, Session.lost(session, exit_status))
    end
  end

  # While messages keep coming, the timeout of a receive does not expire.
  defp check_deadline(%{deadline: :infinity} = state), do: state

  defp check_deadline(state) do
    if remaining(state.deadline) == 0, do: time_out(state), else: state
  end

  # Output that the program writes before it is gone is still collected.
  defp time_out(state) do
    Session.stop(state.session)
    %{state | deadline: :infinity, timed_out: true}
  end

  defp add(%{lines: nil} = state, acc, data), do: {put(state, acc, [data]), state}

  defp add(state, acc, data) do
    {lines, buffer} = LineBuffer.push(state.lines, data)
    {put(state, acc, lines), %{state | lines: buffer}}
  end

  # The Collectable is code of the user: if it fails, the program must still be stopped.
  defp put(state, acc, chunks) do
    Enum.reduce(chunks, acc, fn chunk, acc ->
      try do
        state.fun.(acc, {:cont, chunk})
      catch
        kind, reason ->
          stacktrace = __STACKTRACE__
          abandon(state.session)
          state.fun.(acc, :halt)
          :erlang.raise(kind, reason, stacktrace)
      end
    end)
  end

  defp abandon(nil), do: :ok
  defp abandon(session), do: Session.abandon(session)

  defp finish(state, acc, report) do
    Session.close(state.session)
    acc = add_last_line(%{state | session: nil}, acc)
    report = if state.timed_out, do: %{report | exit_status: :timeout}, else: report
    {:ok, struct!(Result, Map.put(report, :output, state.fun.(acc, :done)))}
  end

  defp add_last_line(%{lines: nil}, acc), do: acc

  defp add_last_line(state, acc) do
    {lines, _buffer} = LineBuffer.flush(state.lines)
    put(state, acc, lines)
  end

  defp fail(fun, acc, error) do
    fun.(acc, :halt)
    {:error, Error.reason(error)}
  end

  defp remaining(:infinity), do: :infinity
  defp remaining(deadline), do: max(deadline - now(), 0)

  defp now, do: System.monotonic_time(:millisecond)
end
