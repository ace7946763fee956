# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Stream do
  @moduledoc false

  # The streams of MuonTrap.stream/3 and MuonTrap.stream!/3. Each enumeration runs the program, in the process that
  # consumes the elements.
  #
  # Output is acknowledged when its last element was consumed, so the program is no further ahead of the consumer than
  # the window allows. Stream.resource/3 calls finish/1 with the last state whatever ends the enumeration, but also
  # when next/1 raises. So next/1 raises only in a state in which nothing is left to do.

  alias MuonTrap.{Deadline, Error, Execution, ExitError, Input, Options, Startup}
  alias MuonTrap.Error.Exec
  alias MuonTrap.Options.Output
  alias MuonTrap.Output.LineBuffer

  # Of what the program wrote to stderr, for ExitError.
  @tail_bytes 4096

  @enforce_keys [:options, :execution, :lines]
  defstruct [:options, :execution, :lines, unacknowledged: 0, tail: ""]

  @typep state :: %__MODULE__{
           options: Options.t(),
           execution: Execution.t(),
           lines: %{required(:stdout | :stderr) => LineBuffer.t()} | nil,
           unacknowledged: non_neg_integer(),
           tail: binary()
         }

  @typep progress ::
           {:new, Options.t()}
           | state()
           | :done
           | {:raise, Exception.t()}
           | {:error, :enoent | :eacces | Error.t(), Options.t()}
           | {:reraise, Input.failure()}

  @doc "The stream for options of `:stream` or `:stream!`."
  @spec new(Options.t()) :: Enumerable.t()
  def new(options) do
    # An enumeration may be halted before its first element. So the program is started later.
    Stream.resource(fn -> {:new, options} end, &next/1, &finish/1)
  end

  @spec next(progress()) :: {[term()] | :halt, progress()}
  defp next({:new, options}) do
    deadline = Deadline.new(options.timeout)
    Startup.ensure_started(deadline)

    case Execution.start(options, deadline) do
      {:ok, execution} ->
        {[], %__MODULE__{options: options, execution: execution, lines: line_buffers(options)}}

      {:error, error} ->
        {[], {:error, error, options}}

      :timeout ->
        finished([], %{exit_status: :timeout, signal: nil}, options, nil)
    end
  end

  defp next(:done), do: {:halt, :done}
  defp next({:raise, exception}), do: raise(exception)
  defp next({:error, error, options}), do: raise_error(error, options)
  defp next({:reraise, failure}), do: Execution.reraise(failure)

  defp next(%__MODULE__{unacknowledged: bytes} = state) when bytes > 0 do
    Execution.ack(state.execution, bytes)
    next(%{state | unacknowledged: 0})
  end

  defp next(%__MODULE__{options: options} = state) do
    {event, execution} = Execution.next(state.execution)
    state = %{state | execution: execution}

    case event do
      {:output, stream, data} ->
        {elements, state} = split(state, stream, data)
        {elements, note_tail(%{state | unacknowledged: byte_size(data)}, stream, data)}

      {:ended, report} ->
        finished(last_lines(state), report, options, if(tagged?(options), do: state.tail))

      {:error, error} ->
        {[], {:error, error, options}}

      {:failed, failure} ->
        Execution.abandon(execution)
        {[], {:reraise, failure}}
    end
  end

  # Code of the user has failed, or the consumer wants no more, in the middle of the output.
  defp finish(%__MODULE__{execution: execution}), do: Execution.abandon(execution)
  defp finish(_nothing_runs), do: :ok

  defp finished(elements, report, %{context: :stream}, _tail),
    do: {elements ++ [{:exit, report.exit_status}], :done}

  defp finished(elements, report, options, tail) do
    if report.exit_status in options.ok_statuses,
      do: {elements, :done},
      else: {elements, {:raise, exit_error(report, options, tail)}}
  end

  defp exit_error(report, options, tail) do
    %ExitError{
      command: options.command,
      args: options.args,
      exit_status: report.exit_status,
      signal: report.signal,
      stderr: tail
    }
  end

  @spec raise_error(:enoent | :eacces | Error.t(), Options.t()) :: no_return()
  defp raise_error(error, options) do
    case Error.reason(error) do
      %Error{} = error -> raise error
      reason -> Exec.raise(reason, options.command, options.context)
    end
  end

  # Elements

  defp line_buffers(%{lines: nil}), do: nil

  defp line_buffers(_options) do
    buffer = LineBuffer.new(:infinity)
    %{stdout: buffer, stderr: buffer}
  end

  defp split(%{lines: nil, options: options} = state, stream, data),
    do: {data |> chunks(options.max_chunk_bytes) |> tag(stream, options), state}

  defp split(state, stream, data) do
    {lines, buffer} = LineBuffer.push(Map.fetch!(state.lines, stream), data)
    {tag(lines, stream, state.options), put_in(state.lines[stream], buffer)}
  end

  defp chunks(data, max) when byte_size(data) <= max, do: [data]

  defp chunks(data, max) do
    {chunk, rest} = :erlang.split_binary(data, max)
    [chunk | chunks(rest, max)]
  end

  defp last_lines(%{lines: nil}), do: []

  defp last_lines(state) do
    for stream <- [:stdout, :stderr],
        {lines, _buffer} = LineBuffer.flush(state.lines[stream]),
        element <- tag(lines, stream, state.options),
        do: element
  end

  # With stderr apart, each element says which stream it is of.
  defp tag(data, stream, options),
    do: if(tagged?(options), do: Enum.map(data, &{stream, &1}), else: data)

  defp tagged?(options), do: Output.apart?(options)

  defp note_tail(state, :stderr, data) do
    tail = state.tail <> data
    kept = min(byte_size(tail), @tail_bytes)
    %{state | tail: binary_part(tail, byte_size(tail) - kept, kept)}
  end

  defp note_tail(state, :stdout, _data), do: state
end
