# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Server do
  @moduledoc false

  # The process of a daemon. MuonTrap.Daemon documents its behaviour and has the client functions.
  #
  # Functions of the user may fail, or never return. They are called only in
  # handle_continue(:pending, state), so that terminate/2 gets a state with everything that happened
  # before, for example that the session is closed. If a function fails, `pending` is still set.

  use GenServer

  alias MuonTrap.Daemon.{Backoff, CgroupCall, Events, Health, Output, Readiness, State}

  alias MuonTrap.{
    Caller,
    Error,
    ForkServer,
    Helper,
    Input,
    Label,
    Native,
    Predecessors,
    Session,
    Startup,
    Status
  }

  @impl GenServer
  def init({starter, ref, options}) do
    # So that terminate/2 is called.
    Process.flag(:trap_exit, true)
    Logger.metadata(Events.metadata(options))
    Label.set("MuonTrap.Daemon: " <> Native.printable(options.command))
    state = State.new(options, {starter, ref})

    case options.wait_for do
      nil ->
        case start_program(state) do
          {:ok, state} ->
            {:ok, state, {:continue, :early}}

          {:error, reason} ->
            Startup.report(starter, ref, reason)
            :ignore
        end

      wait_for ->
        {:ok, waiter} = Task.start_link(wait_for)
        {:ok, %{state | waiter: waiter}}
    end
  end

  defp start_program(%{options: options} = state) do
    key = {options.command, options.args}

    Startup.ensure_started()

    with :ok <- Predecessors.await(key, &ForkServer.await_end/3),
         {:ok, session} <- Session.start(options, key) do
      {:ok, state |> State.started(Session.activate(session)) |> Health.started()}
    else
      {:error, :not_started} ->
        {:error, Helper.start_error(nil, :not_started)}

      {:error, error} ->
        reason = Error.reason(error)
        Events.not_started(options, reason)
        {:error, reason}
    end
  end

  @impl GenServer
  def handle_continue(:early, state) do
    if state.session != nil and Session.early?(state.session) do
      {event, session} = Session.next(state.session)
      handle_event(event, %{state | session: session})
    else
      {:noreply, state}
    end
  end

  def handle_continue(:pending, %{pending: {:output, output, bytes}} = state) do
    ready? = handle_output(state, output)
    # Acknowledged after that, so that the program waits for slow functions.
    Session.send_frame(state.session, {:ack, bytes})
    state = state |> State.handled(output) |> Health.alive()
    {:noreply, if(ready?, do: Health.ready(state), else: state), {:continue, :early}}
  end

  def handle_continue(:pending, %{pending: {:end, output, how}} = state) do
    handle_output(state, output)
    reason = exit_reason(how, state)
    state |> State.handled(output) |> Health.ended(how) |> finish(reason)
  end

  # Stops the daemon, after the :restart_delay. With `start: :when_ready`, the first start fails at once.
  defp finish(%{readiness: %{starter: starter}} = state, reason) do
    if starter != nil and not Backoff.restarted?(state.backoff),
      do: {:stop, reason, state},
      else: hold(state, reason)
  end

  defp hold(state, reason) do
    case Backoff.delay(state.backoff, state.options, State.uptime_ms(state), reason == :normal) do
      0 ->
        {:stop, reason, state}

      ms ->
        timer = :erlang.start_timer(ms, self(), :held)
        {:noreply, %{state | held: {timer, reason}}, :hibernate}
    end
  end

  @impl GenServer
  def handle_call(:os_pid, _from, state) do
    {:reply, pid(state.session && state.session.os_pid), state}
  end

  def handle_call(:program_os_pid, _from, state) do
    {:reply, pid(state.session && state.session.program_pid), state}
  end

  def handle_call(:info, _from, state), do: {:reply, State.info(state), state}

  def handle_call({:write, data, timeout}, from, state),
    do: {:noreply, %{state | input: Input.Queue.write(state.input, from, data, timeout)}}

  def handle_call(:close_input, _from, state),
    do: {:reply, :ok, %{state | input: Input.Queue.close(state.input)}}

  def handle_call({:signal, _number}, _from, %{session: nil} = state),
    do: {:reply, {:error, if(state.os_pids, do: :exited, else: :not_started)}, state}

  def handle_call({:signal, number}, _from, state),
    do: {:reply, Session.send_frame(state.session, {:signal, number}), state}

  def handle_call({:resize, _rows, _cols}, _from, %{options: %{pty: nil}} = state),
    do: {:reply, {:error, :no_pty}, state}

  def handle_call({:resize, _rows, _cols}, _from, %{session: nil} = state),
    do: {:reply, {:error, :not_started}, state}

  def handle_call({:resize, rows, cols}, _from, state),
    do: {:reply, Session.send_frame(state.session, {:resize, rows, cols}), state}

  def handle_call({:await_ready, timeout}, from, state) do
    {:noreply, Health.await_ready(state, Caller.new(from, :health, timeout))}
  end

  def handle_call(:status, _from, state), do: {:reply, Health.status(state), state}

  def handle_call(:cgroup_path, _from, state), do: {:reply, state.options.cgroup_path, state}

  def handle_call(:statistics, from, state) do
    CgroupCall.answer({:statistics, State.statistics(state)}, from, state.session)
    {:noreply, state}
  end

  def handle_call(request, from, state)
      when request == :cgroup_config or elem(request, 0) in [:cgget, :cgset] do
    CgroupCall.answer(request, from, state.session)
    {:noreply, state}
  end

  defp pid(nil), do: :error
  defp pid(pid), do: pid

  @impl GenServer
  def handle_info({:EXIT, waiter, reason}, %{waiter: waiter} = state) when is_pid(waiter) do
    state = %{state | waiter: nil}

    case reason == :normal and start_program(state) do
      {:ok, state} -> {:noreply, state, {:continue, :early}}
      {:error, reason} -> never_started(state, reason)
      false -> never_started(state, reason)
    end
  end

  def handle_info({:EXIT, prober, :normal}, %{readiness: %{prober: prober}} = state)
      when is_pid(prober),
      do: {:noreply, Health.probed(state)}

  # An error of a linked process stops this one, as it would if exits were not trapped.
  def handle_info({:EXIT, pid, reason}, state) when is_pid(pid) and reason != :normal do
    {:stop, reason, state}
  end

  def handle_info({:timeout, timer, :held}, %{held: {timer, reason}} = state),
    do: {:stop, reason, %{state | held: nil}}

  def handle_info({:timeout, timer, :health}, state),
    do: {:noreply, Health.expired(state, timer)}

  def handle_info({:timeout, timer, :write}, state),
    do: {:noreply, %{state | input: Input.Queue.expired(state.input, timer)}}

  def handle_info({:session_ended, _connection, _ended} = message, %{session: session} = state)
      when session != nil,
      do: {:noreply, %{state | session: Session.note_end(session, message)}}

  def handle_info(message, %{session: session} = state) when session != nil do
    case Session.event(session, message) do
      {:ok, event} -> handle_event(event, state)
      :error -> {:noreply, state}
    end
  end

  def handle_info(_message, state), do: {:noreply, state}

  # No program will read what is written, also while the exit is held back.
  defp never_started(state, reason),
    do: finish(%{state | input: Input.Queue.ended(state.input)}, reason)

  defp handle_event({:frame, {:input_ack, written, dropped}}, state),
    do: {:noreply, acknowledged(state, written, dropped), {:continue, :early}}

  defp handle_event({:frame, {:notify, datagram}}, state) do
    state = Health.notified(state, datagram)
    Session.send_frame(state.session, :notify_ack)
    {:noreply, state, {:continue, :early}}
  end

  defp handle_event(event, state), do: {:noreply, update(event, state), {:continue, :pending}}

  defp acknowledged(state, written, dropped),
    do: %{state | input: Input.Queue.acknowledged(state.input, written, dropped)}

  defp update({:frame, {stream, data}}, state) when stream in [:stdout, :stderr],
    do: State.output(state, stream, data)

  defp update({:frame, {:exited, report}}, state) do
    Session.close(state.session, report)
    State.ended(state, report)
  end

  defp update({:frame, {:failed, failed}}, state),
    do: State.ended(state, Session.given_up(state.session, failed))

  defp update({:frame, _unexpected}, state), do: update({:lost, nil}, state)
  defp update({:lost, status}, state), do: State.ended(state, Session.lost(state.session, status))

  # Returns whether a line tells that the program is ready.
  defp handle_output(%{handlers: handlers, readiness: readiness}, output) do
    call(fn ->
      Enum.reduce(output, false, fn {kind, stream, data}, ready? ->
        handler = handlers[stream][kind]
        if handler, do: Enum.each(data, &Output.handle(handler, &1))
        ready? or (kind == :line and Readiness.lines?(readiness, data))
      end)
    end)
  end

  defp exit_reason(%Error{} = error, _state), do: error

  defp exit_reason(report, %{options: options, failure: failure}) do
    Events.exited(options.command, report)

    case {report.exit_status, options.exit_status_to_reason} do
      _any when failure != nil -> failure
      {0, _to_reason} -> :normal
      {_status, nil} -> :error_exit_status
      {status, to_reason} -> call(fn -> to_reason.(status) end)
    end
  end

  # A GenServer treats a value that a callback throws as its return value.
  defp call(function) do
    function.()
  catch
    :throw, value -> :erlang.raise(:error, {:nocatch, value}, __STACKTRACE__)
  end

  @impl GenServer
  def terminate(reason, state) do
    # Its supervisor does not stop it because it has failed.
    if shutdown?(reason) and not over?(state), do: Backoff.forget(state.backoff)
    stop_program(state)
  after
    Readiness.failed(state.readiness, reason)
  end

  defp shutdown?(reason), do: reason == :shutdown or match?({:shutdown, _}, reason)

  # The daemon stops by itself, and the reason is that of its program.
  defp over?(state), do: state.session == nil and state.waiter == nil and state.held == nil

  defp stop_program(%{session: nil, waiter: nil}), do: :ok

  defp stop_program(%{session: nil, waiter: waiter}) do
    Process.unlink(waiter)
    Process.exit(waiter, :kill)
    :ok
  end

  # A function of the user has failed, and must not be called with more output.
  defp stop_program(%{session: session, pending: pending}) when pending != nil,
    do: Session.abandon(session)

  defp stop_program(%{session: session} = state) do
    Session.send_frame(session, :stop)
    await_exited(state)
  end

  defp await_exited(state) do
    {event, session} = Session.next(state.session)
    state = %{state | session: session}

    case event do
      {:frame, {:input_ack, written, dropped}} ->
        state |> acknowledged(written, dropped) |> await_exited()

      {:frame, {:notify, _datagram}} ->
        Session.send_frame(session, :notify_ack)
        await_exited(state)

      event ->
        event |> update(state) |> handle_pending()
    end
  end

  defp handle_pending(%{pending: {_output_or_end, output, _}, session: session} = state) do
    handle_output(state, output)
  catch
    kind, reason ->
      abandon(session)
      :erlang.raise(kind, reason, __STACKTRACE__)
  else
    _ready? -> after_output(state)
  end

  defp abandon(nil), do: :ok
  defp abandon(session), do: Session.abandon(session)

  # The program could not be stopped.
  defp after_output(%{pending: {:end, _output, %Error{step: :cgroup} = error}}), do: exit(error)
  defp after_output(%{pending: {:end, _output, _how}}), do: :ok

  defp after_output(%{pending: {:output, _output, bytes}} = state) do
    Session.send_frame(state.session, {:ack, bytes})
    await_exited(state)
  end

  # OTP has this callback since 25, Elixir since 1.17.
  if {:format_status, 1} in GenServer.behaviour_info(:callbacks), do: @impl(GenServer)

  @doc false
  @spec format_status(map()) :: map()
  def format_status(status), do: Status.format(status, &State.info/1)
end
