# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Runner do
  @moduledoc false

  # Runs one program to completion in the calling process, for MuonTrap.cmd/3 and MuonTrap.run/3.

  alias MuonTrap.{Deadline, Error, Execution, Options, Result, Startup}
  alias MuonTrap.Options.Output
  alias MuonTrap.Output.{Collector, Gathered, LineBuffer}

  @enforce_keys [:execution, :fun, :keeps?, :lines, :stderr, :gathered]
  defstruct [:execution, :fun, :keeps?, :lines, :stderr, :gathered]

  # `keeps?`: `fun` only keeps the output in memory. `stderr` is nil unless it is collected apart from the output, and
  # `gathered` is nil unless the Collectable is slow. While something is gathered, the limits of time are not looked at.
  @typep state :: %__MODULE__{
           execution: Execution.t(),
           fun: Collector.collect(),
           keeps?: boolean(),
           lines: LineBuffer.t() | nil,
           stderr: binary() | nil,
           gathered: Gathered.t() | nil
         }

  @doc "Runs the program. The reason of an error is to be raised."
  @spec run(Options.t()) :: {:ok, Result.t()} | {:error, :enoent | :eacces | Error.t()}
  def run(options) do
    deadline = Deadline.new(options.timeout)
    Startup.ensure_started(deadline)
    {initial, fun} = Collector.into(options.into, options.lines)

    case start(options, deadline, initial, fun) do
      {:ok, execution} ->
        lines = options.lines && LineBuffer.new(:infinity)
        stderr = no_stderr(options)

        state = %__MODULE__{
          execution: execution,
          fun: fun,
          keeps?: Collector.keeps?(options.into),
          lines: lines,
          stderr: stderr,
          gathered: gathered(options)
        }

        collect(receive_ahead(state, options), initial)

      {:error, error} ->
        fail(fun, initial, error)

      :timeout ->
        output = fun.(initial, :done)
        {:ok, %Result{exit_status: :timeout, output: output, stderr: no_stderr(options)}}
    end
  end

  defp start(options, deadline, initial, fun) do
    Execution.start(options, deadline)
  catch
    kind, reason ->
      stacktrace = __STACKTRACE__
      fun.(initial, :halt)
      :erlang.raise(kind, reason, stacktrace)
  end

  defp gathered(options) do
    if options.lines == nil and Collector.slow?(options.into),
      do: Gathered.new(options.stdio_window)
  end

  # A slow Collectable is a File.Stream or an IO.Stream, which look at no messages. The Enumerable of the option :input is
  # code of the user, which may.
  defp receive_ahead(%{gathered: nil} = state, _options), do: state
  defp receive_ahead(state, %{input: {:enumerable, _enumerable}}), do: state

  defp receive_ahead(state, _options),
    do: %{state | execution: Execution.receive_ahead(state.execution)}

  defp no_stderr(options), do: if(Output.apart?(options), do: "")

  @spec collect(state(), term()) :: {:ok, Result.t()} | {:error, :enoent | :eacces | Error.t()}
  defp collect(state, acc) do
    {event, execution} = next(state)
    handle(event, %{state | execution: execution}, acc)
  end

  defp next(%{gathered: gathered} = state) do
    if none?(gathered),
      do: Execution.next(state.execution),
      else: Execution.next_soon(state.execution, Gathered.wait_ms())
  end

  defp none?(gathered), do: gathered == nil or Gathered.empty?(gathered)

  # What is only kept in memory counts as handled at once. So the session sends more while this is appended.
  defp handle({:output, :stderr, data}, %{stderr: stderr} = state, acc) when stderr != nil do
    Execution.ack(state.execution, byte_size(data))
    stderr = Collector.append(stderr, {:cont, data})
    gather(%{state | stderr: stderr}, acc)
  end

  defp handle({:output, _stream, data}, %{keeps?: true} = state, acc) do
    Execution.ack(state.execution, byte_size(data))
    {acc, state} = add(state, acc, data)
    collect(state, acc)
  end

  defp handle({:output, _stream, data}, %{gathered: nil} = state, acc) do
    {acc, state} = add(state, acc, data)
    Execution.ack(state.execution, byte_size(data))
    collect(state, acc)
  end

  defp handle({:output, _stream, data}, state, acc),
    do: gather(%{state | gathered: Gathered.add(state.gathered, data)}, acc)

  defp handle(:nothing, state, acc), do: put_gathered(state, acc)

  # The end of the output. Nothing has to be acknowledged any more.
  defp handle(event, state, acc) do
    if none?(state.gathered) do
      finish(event, state, acc)
    else
      {output, _bytes, gathered} = Gathered.take(state.gathered)
      state = %{state | gathered: gathered}
      finish(event, state, put(state, acc, [output]))
    end
  end

  defp finish(event, state, acc) do
    case event do
      {:ended, report} ->
        acc = add_last_line(state, acc)
        stderr = state.stderr && Collector.append(state.stderr, :done)

        result = Map.merge(%Result{}, report)
        {:ok, %{result | output: state.fun.(acc, :done), stderr: stderr}}

      {:error, error} ->
        fail(state.fun, acc, error)

      {:failed, failure} ->
        abandon(state, acc)
        Execution.reraise(failure)
    end
  end

  defp gather(state, acc) do
    if not none?(state.gathered) and Gathered.enough?(state.gathered),
      do: put_gathered(state, acc),
      else: collect(state, acc)
  end

  defp put_gathered(state, acc) do
    {output, bytes, gathered} = Gathered.take(state.gathered)
    acc = put(state, acc, [output])
    Execution.ack(state.execution, bytes)
    collect(%{state | gathered: gathered}, acc)
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
          abandon(state, acc)
          :erlang.raise(kind, reason, stacktrace)
      end
    end)
  end

  defp abandon(state, acc) do
    Execution.abandon(state.execution)
  after
    state.fun.(acc, :halt)
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
end
