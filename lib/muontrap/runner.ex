# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Runner do
  @moduledoc false

  # Runs one program to completion in the calling process, for MuonTrap.cmd/3 and MuonTrap.run/3.

  alias MuonTrap.{Error, Execution, Options, Result, Startup}
  alias MuonTrap.Options.Output
  alias MuonTrap.Output.{Collector, LineBuffer}

  @enforce_keys [:execution, :fun, :lines, :stderr]
  defstruct [:execution, :fun, :lines, :stderr]

  # `stderr` is nil unless it is collected apart from the output.
  @typep state :: %__MODULE__{
           execution: Execution.t(),
           fun: Collector.collect(),
           lines: LineBuffer.t() | nil,
           stderr: binary() | nil
         }

  @doc "Runs the program. The reason of an error is to be raised."
  @spec run(Options.t()) :: {:ok, Result.t()} | {:error, :enoent | :eacces | Error.t()}
  def run(options) do
    deadline = Execution.deadline(options.timeout)
    Startup.ensure_started()
    {initial, fun} = Collector.into(options.into, options.lines)

    case Execution.start(options, deadline) do
      {:ok, execution} ->
        lines = options.lines && LineBuffer.new(:infinity)
        stderr = no_stderr(options)
        state = %__MODULE__{execution: execution, fun: fun, lines: lines, stderr: stderr}
        collect(state, initial)

      {:error, error} ->
        fail(fun, initial, error)

      :timeout ->
        output = fun.(initial, :done)
        {:ok, %Result{exit_status: :timeout, output: output, stderr: no_stderr(options)}}
    end
  end

  defp no_stderr(options), do: if(Output.apart?(options), do: "")

  @spec collect(state(), term()) :: {:ok, Result.t()} | {:error, :enoent | :eacces | Error.t()}
  defp collect(state, acc) do
    {event, execution} = Execution.next(state.execution)
    state = %{state | execution: execution}

    case event do
      {:output, stream, data} ->
        {acc, state} = add(state, acc, stream, data)
        Execution.ack(execution, byte_size(data))
        collect(state, acc)

      {:ended, report} ->
        acc = add_last_line(state, acc)
        stderr = state.stderr && Collector.append(state.stderr, :done)

        {:ok,
         struct!(Result, Map.merge(report, %{output: state.fun.(acc, :done), stderr: stderr}))}

      {:error, error} ->
        fail(state.fun, acc, error)

      {:failed, failure} ->
        abandon(state, acc)
        Execution.reraise(failure)
    end
  end

  defp add(%{stderr: stderr} = state, acc, :stderr, data) when stderr != nil,
    do: {acc, %{state | stderr: Collector.append(stderr, {:cont, data})}}

  defp add(%{lines: nil} = state, acc, _stream, data), do: {put(state, acc, [data]), state}

  defp add(state, acc, _stream, data) do
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
