# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Process.Server do
  @moduledoc false

  # The GenServer of a handle. MuonTrap.Process documents its behaviour and has the client functions.

  use GenServer

  alias MuonTrap.{Caller, Cgroup, Error, Input, Label, Native, Session, Startup, Status}
  alias MuonTrap.Process.{Output, State}

  @impl GenServer
  def init({starter, ref, options}) do
    # So that terminate/2 is called.
    Process.flag(:trap_exit, true)
    Label.set("MuonTrap.Process: " <> Native.printable(options.command))
    Startup.ensure_started()
    options = Cgroup.choose(options)

    case Session.start(options) do
      {:ok, session} ->
        state = options |> State.new(starter) |> State.started(Session.activate(session))
        {:ok, state, {:continue, :early}}

      {:error, error} ->
        Startup.report(starter, ref, Error.reason(error))
        :ignore
    end
  end

  @impl GenServer
  def handle_continue(:early, state) do
    if state.session != nil and Session.early?(state.session) do
      {event, session} = Session.next(state.session)

      with {:noreply, state} <- handle_event(event, %{state | session: session}),
           do: {:noreply, state, {:continue, :early}}
    else
      {:noreply, state}
    end
  end

  @impl GenServer
  def handle_call({:write, data, timeout}, from, state),
    do: {:noreply, %{state | input: Input.Queue.write(state.input, from, data, timeout)}}

  def handle_call(:close_input, _from, state),
    do: {:reply, :ok, %{state | input: Input.Queue.close(state.input)}}

  def handle_call({:read, _kind, _timeout}, _from, %{active: active} = state)
      when active != false,
      do: {:reply, {:error, :active}, state}

  def handle_call({:read, kind, timeout}, from, state) do
    reader = {Caller.new(from, :read, timeout), kind}
    noreply(serve(%{state | readers: :queue.in(reader, state.readers)}))
  end

  def handle_call({:signal, _number}, _from, %{session: nil} = state),
    do: {:reply, {:error, :exited}, state}

  def handle_call({:signal, number}, _from, state),
    do: {:reply, Session.send_frame(state.session, {:signal, number}), state}

  def handle_call({:resize, _rows, _cols}, _from, %{options: %{pty: nil}} = state),
    do: {:reply, {:error, :no_pty}, state}

  def handle_call({:resize, _rows, _cols}, _from, %{session: nil} = state),
    do: {:reply, {:error, :exited}, state}

  def handle_call({:resize, rows, cols}, _from, state),
    do: {:reply, Session.send_frame(state.session, {:resize, rows, cols}), state}

  def handle_call({:set_active, active}, _from, state),
    do: state |> refuse_readers(active) |> set_active(active) |> serve() |> reply(:ok)

  def handle_call({:controlling_process, pid}, _from, state) do
    if state.monitor, do: Process.demonitor(state.monitor, [:flush])
    {:reply, :ok, %{state | receiver: pid, monitor: Process.monitor(pid)}}
  end

  def handle_call({:await_exit, _timeout}, _from, %{result: result} = state) when result != nil,
    do: {:reply, {:ok, result}, state}

  def handle_call({:await_exit, timeout}, from, state),
    do: {:noreply, wait(state, :await_exit, from, timeout)}

  def handle_call({:stop, _timeout}, _from, %{result: result} = state) when result != nil,
    do: {:stop, :normal, {:ok, result}, state}

  def handle_call({:stop, timeout}, from, state) do
    if not state.stopping? do
      Session.send_frame(state.session, :discard)
      Session.send_frame(state.session, :stop)
    end

    {:noreply, wait(%{state | stopping?: true}, :stop, from, timeout)}
  end

  def handle_call(:info, _from, state), do: {:reply, State.info(state), state}

  defp wait(state, function, from, timeout) do
    caller = Caller.new(from, function, timeout)
    %{state | callers: Map.update(state.callers, function, [caller], &[caller | &1])}
  end

  # Replies to all that wait for this.
  defp reply_all(state, function, answer) do
    {callers, others} = Map.pop(state.callers, function, [])
    Enum.each(callers, &Caller.reply(&1, answer))
    %{state | callers: others}
  end

  defp refuse_readers(state, false), do: state

  defp refuse_readers(state, _active) do
    for {caller, _kind} <- :queue.to_list(state.readers),
        do: Caller.reply(caller, {:error, :active})

    %{state | readers: :queue.new()}
  end

  # Numbers add up, as with :inet.setopts/2.
  defp set_active(%{active: old} = state, new) when is_integer(old) and is_integer(new),
    do: %{state | active: old + new}

  defp set_active(state, new), do: %{state | active: new}

  @impl GenServer
  def handle_info({:timeout, timer, function}, state) when is_atom(function),
    do: {:noreply, expired(state, function, timer)}

  # An error of a linked process stops this one, as it would if exits were not trapped.
  def handle_info({:EXIT, pid, reason}, state) when is_pid(pid) and reason != :normal,
    do: {:stop, reason, state}

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, %{monitor: monitor} = state),
    do: {:noreply, %{state | receiver: state.owner, monitor: nil, active: false}}

  def handle_info(message, %{session: session} = state) when session != nil do
    case Session.event(session, message) do
      {:ok, event} -> handle_event(event, state)
      :error -> {:noreply, state}
    end
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp expired(state, :write, timer),
    do: %{state | input: Input.Queue.expired(state.input, timer)}

  defp expired(state, :read, timer) do
    {expired, readers} =
      Enum.split_with(:queue.to_list(state.readers), &match?({{_from, ^timer}, _kind}, &1))

    time_out(for {caller, _kind} <- expired, do: caller)
    # The next reader may want less than this one did.
    serve(%{state | readers: :queue.from_list(readers)})
  end

  defp expired(state, function, timer) do
    {expired, others} =
      Enum.split_with(Map.get(state.callers, function, []), &match?({_from, ^timer}, &1))

    time_out(expired)
    %{state | callers: Map.put(state.callers, function, others)}
  end

  defp time_out(callers), do: Enum.each(callers, &Caller.reply(&1, {:error, :timeout}))

  defp handle_event({:frame, {:input_ack, written, dropped}}, state),
    do: {:noreply, %{state | input: Input.Queue.acknowledged(state.input, written, dropped)}}

  defp handle_event({:frame, {stream, data}}, state) when stream in [:stdout, :stderr],
    do: state |> State.output(stream, data) |> serve() |> noreply()

  defp handle_event({:frame, {:exited, report}}, state) do
    Session.close(state.session, report)
    state = State.ended(state, report)
    state = state |> reply_all(:await_exit, {:ok, state.result}) |> serve()

    if state.stopping?,
      do: {:stop, :normal, reply_all(state, :stop, {:ok, state.result})},
      else: noreply(state)
  end

  defp handle_event({:frame, {:failed, failed}}, state),
    do: {:stop, Session.given_up(state.session, failed), %{state | session: nil}}

  defp handle_event({:frame, _unexpected}, state), do: handle_event({:lost, nil}, state)

  defp handle_event({:lost, status}, state),
    do: {:stop, Session.lost(state.session, status), %{state | session: nil}}

  defp noreply(state) do
    case end_reason(state) do
      nil -> {:noreply, state}
      reason -> {:stop, reason, state}
    end
  end

  defp reply(state, answer) do
    case end_reason(state) do
      nil -> {:reply, answer, state}
      reason -> {:stop, reason, answer, state}
    end
  end

  # With :stop_on_exit, once all output was read.
  defp end_reason(%{result: nil}), do: nil
  defp end_reason(%{options: %{stop_on_exit: false}}), do: nil

  defp end_reason(state) do
    if Output.empty?(state.output), do: reason(state.result.exit_status)
  end

  defp reason(0), do: :normal
  defp reason(_status), do: :error_exit_status

  # Output goes to the receiver if the handle is active, and otherwise to the readers, in the order of their calls.
  defp serve(%{active: false} = state) do
    case :queue.out(state.readers) do
      {:empty, _readers} -> state
      {{:value, {caller, kind}}, rest} -> serve(state, caller, kind, rest)
    end
  end

  defp serve(state) do
    case take(state, :chunk) do
      {nil, %{result: nil} = state} ->
        state

      {nil, state} ->
        send(state.receiver, {:muontrap, self(), {:exit, state.result}})
        %{state | active: false}

      {chunk, state} ->
        send(state.receiver, {:muontrap, self(), chunk})
        serve(count_down(state))
    end
  end

  defp serve(state, caller, kind, rest) do
    if Caller.alive?(caller) do
      case take(state, kind) do
        {nil, %{result: nil} = state} -> state
        {nil, state} -> answer(state, caller, :eof, rest)
        {chunk, state} -> answer(state, caller, {:ok, chunk}, rest)
      end
    else
      # It must not get what another one can read.
      serve(%{state | readers: rest})
    end
  end

  defp answer(state, caller, answer, rest) do
    Caller.reply(caller, answer)
    serve(%{state | readers: rest})
  end

  defp count_down(%{active: true} = state), do: state
  defp count_down(%{active: :once} = state), do: %{state | active: false}

  defp count_down(%{active: 1} = state) do
    send(state.receiver, {:muontrap, self(), :passive})
    %{state | active: false}
  end

  defp count_down(state), do: %{state | active: state.active - 1}

  defp take(state, kind) do
    {chunk, read, output} =
      case kind do
        :chunk -> Output.take(state.output)
        :line -> Output.take_line(state.output, state.result != nil)
      end

    {chunk, acknowledge(%{state | output: output}, read)}
  end

  # After half of the window, which saves most of the frames. The session needs a quarter of it to go on.
  defp acknowledge(state, read) do
    bytes = state.unacknowledged + read

    if 2 * bytes >= state.options.stdio_window and state.session != nil and bytes > 0 do
      Session.send_frame(state.session, {:ack, bytes})
      %{state | unacknowledged: 0}
    else
      %{state | unacknowledged: bytes}
    end
  end

  @impl GenServer
  def terminate(_reason, %{session: nil}), do: :ok
  def terminate(_reason, %{session: session}), do: Session.abandon(session)

  # OTP has this callback since 25, Elixir since 1.17.
  if {:format_status, 1} in GenServer.behaviour_info(:callbacks), do: @impl(GenServer)

  @doc false
  @spec format_status(map()) :: map()
  def format_status(status), do: Status.format(status, &State.info/1)
end
