# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Runner do
  @moduledoc false

  # Runs one program to completion in the calling process, for MuonTrap.cmd/3 and MuonTrap.run/3.

  alias MuonTrap.{Deadline, Error, Execution, Options, Result, Startup}
  alias MuonTrap.Options.Output
  alias MuonTrap.Output.{Collector, LineBuffer}

  # How much output to gather for a slow Collectable, how long to wait for more, and for how long in all.
  @gathered_bytes Collector.gathered_bytes()
  @gather_ms 1
  @gather_longest_ms 5

  @enforce_keys [:execution, :fun, :lines, :stderr, :slow?]
  defstruct [
    :execution,
    :fun,
    :lines,
    :stderr,
    :slow?,
    :gather_deadline,
    gathered: [],
    gathered_bytes: 0
  ]

  # `stderr` is nil unless it is collected apart from the output. `gathered` are chunks for a slow Collectable, last
  # first. It gets them together: when they are enough, when nothing more comes, or at `gather_deadline`. Until then,
  # the limits of time are not looked at.
  @typep state :: %__MODULE__{
           execution: Execution.t(),
           fun: Collector.collect(),
           lines: LineBuffer.t() | nil,
           stderr: binary() | nil,
           slow?: boolean(),
           gather_deadline: Deadline.t() | nil,
           gathered: [binary()],
           gathered_bytes: non_neg_integer()
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
          lines: lines,
          stderr: stderr,
          slow?: lines == nil and Collector.slow?(options.into)
        }

        collect(state, initial)

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

  defp no_stderr(options), do: if(Output.apart?(options), do: "")

  @spec collect(state(), term()) :: {:ok, Result.t()} | {:error, :enoent | :eacces | Error.t()}
  defp collect(state, acc) do
    {event, execution} = next(state)
    handle(event, %{state | execution: execution}, acc)
  end

  defp next(%{gathered: []} = state), do: Execution.next(state.execution)
  defp next(state), do: Execution.next_soon(state.execution, @gather_ms)

  # What is gathered counts as handled.
  defp handle({:output, stream, data}, %{slow?: true} = state, acc) do
    Execution.ack(state.execution, byte_size(data))
    {acc, state} = add(state, acc, stream, data)
    collect(state, acc)
  end

  defp handle({:output, stream, data}, state, acc) do
    {acc, state} = add(state, acc, stream, data)
    Execution.ack(state.execution, byte_size(data))
    collect(state, acc)
  end

  defp handle(event, %{gathered: [_ | _]} = state, acc) do
    {acc, state} = put_gathered(state, acc)
    handle(event, state, acc)
  end

  defp handle(event, state, acc) do
    case event do
      :nothing ->
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

  defp add(%{slow?: true} = state, acc, _stream, data) do
    state = gather(state, data)

    if state.gathered_bytes < @gathered_bytes and not Deadline.over?(state.gather_deadline),
      do: {acc, state},
      else: put_gathered(state, acc)
  end

  defp add(%{lines: nil} = state, acc, _stream, data), do: {put(state, acc, [data]), state}

  defp add(state, acc, _stream, data) do
    {lines, buffer} = LineBuffer.push(state.lines, data)
    {put(state, acc, lines), %{state | lines: buffer}}
  end

  defp gather(%{gathered: []} = state, data) do
    deadline = Deadline.new(@gather_longest_ms)
    %{state | gathered: [data], gathered_bytes: byte_size(data), gather_deadline: deadline}
  end

  defp gather(state, data) do
    bytes = state.gathered_bytes + byte_size(data)
    %{state | gathered: [data | state.gathered], gathered_bytes: bytes}
  end

  defp put_gathered(state, acc) do
    chunk = join(state.gathered)
    state = %{state | gathered: [], gathered_bytes: 0}
    {put(state, acc, [chunk]), state}
  end

  # A single chunk is not copied.
  defp join([chunk]), do: chunk
  defp join(chunks), do: chunks |> Enum.reverse() |> IO.iodata_to_binary()

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
