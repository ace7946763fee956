# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Server do
  @moduledoc false

  # The process of a daemon. MuonTrap.Daemon says what it does, and has the functions to call.

  use GenServer

  alias MuonTrap.Daemon.{CgroupCall, State}
  alias MuonTrap.{Error, LineBuffer, Port, Predecessors}

  @impl GenServer
  def init({starter, ref, options}) do
    # For terminate/2 to be called.
    Process.flag(:trap_exit, true)
    state = State.new(options)

    case options.wait_for do
      nil ->
        case start_program(state) do
          {:ok, state} ->
            {:ok, state, {:continue, :early}}

          {:error, reason} ->
            send(starter, {ref, reason})
            :ignore
        end

      wait_for ->
        {:ok, waiter} = Task.start_link(wait_for)
        {:ok, %{state | waiter: waiter}}
    end
  end

  defp start_program(%{options: options} = state) do
    key = {options.cmd, options.args}

    with :ok <- Predecessors.await(key),
         {:ok, session} <- Port.start(options, key) do
      {:ok, State.started(state, session)}
    else
      {:error, :not_started} -> {:error, MuonTrap.Helper.start_error(nil, :not_started)}
      {:error, error} -> {:error, Error.reason(error)}
    end
  end

  @impl GenServer
  def handle_continue(:early, %{session: %{early: []}} = state), do: {:noreply, state}

  def handle_continue(:early, state) do
    {event, session} = Port.next(state.session)

    with {:noreply, state} <- handle_event(event, %{state | session: session}) do
      {:noreply, state, {:continue, :early}}
    end
  end

  @impl GenServer
  def handle_call(:os_pid, _from, state) do
    {:reply, pid(state.session && state.session.helper_pid), state}
  end

  def handle_call(:program_os_pid, _from, state) do
    {:reply, pid(state.session && state.session.program_pid), state}
  end

  def handle_call(:cgroup_path, _from, state) do
    group = State.group(state)
    {:reply, group && group.path, state}
  end

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

    with :normal <- reason,
         {:ok, state} <- start_program(state) do
      {:noreply, state, {:continue, :early}}
    else
      {:error, reason} -> {:stop, reason, state}
      reason -> {:stop, reason, state}
    end
  end

  # A linked process that ends with an error ends this one, as it would if exits were not trapped.
  def handle_info({:EXIT, pid, reason}, state) when is_pid(pid) and reason != :normal do
    {:stop, reason, state}
  end

  def handle_info(message, %{session: session} = state) when session != nil do
    case Port.event(session, message) do
      {:ok, event} -> handle_event(event, state)
      :error -> {:noreply, state}
    end
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp handle_event({:frame, {:stdout, data}}, state),
    do: {:noreply, output(state, :stdout, data)}

  defp handle_event({:frame, {:stderr, data}}, state),
    do: {:noreply, output(state, :stderr, data)}

  defp handle_event({:frame, {:input_ack, _count}}, state), do: {:noreply, state}

  defp handle_event({:frame, {:exited, report}}, state) do
    state = exited(state)
    {:stop, exit_reason(report.exit_status, state.options), state}
  end

  defp handle_event({:frame, _unexpected}, state), do: lost(state, nil)
  defp handle_event({:lost, exit_status}, state), do: lost(state, exit_status)

  defp lost(state, exit_status) do
    error = Port.lost(state.session, exit_status)
    {:stop, error, log_rest(%{state | session: nil})}
  end

  defp output(state, stream, data) do
    {lines, buffer} = LineBuffer.push(state.lines, data)
    state = State.count(state, stream, byte_size(data))
    log(%{state | lines: buffer}, lines)
  after
    # Only now, so that the program waits for slow logging. But also when logging failed: terminate/2
    # has yet to see the rest of the output.
    Port.ack(state.session, byte_size(data))
  end

  defp log_rest(state) do
    {lines, buffer} = LineBuffer.flush(state.lines)
    log(%{state | lines: buffer}, lines)
  end

  defp log(%{log: nil} = state, _lines), do: state

  defp log(%{log: log} = state, lines) do
    Enum.each(lines, log)
    %{state | line_count: state.line_count + length(lines)}
  end

  defp exited(state) do
    Port.close(state.session)
    log_rest(%{state | session: nil})
  end

  defp exit_reason(0, _options), do: :normal
  defp exit_reason(_status, %{exit_status_to_reason: nil}), do: :error_exit_status
  defp exit_reason(status, %{exit_status_to_reason: to_reason}), do: to_reason.(status)

  @impl GenServer
  def terminate(_reason, %{session: nil, waiter: nil}), do: :ok

  def terminate(_reason, %{session: nil, waiter: waiter}) do
    Process.unlink(waiter)
    Process.exit(waiter, :kill)
    :ok
  end

  def terminate(_reason, %{session: session} = state) do
    Port.stop(session)
    await_exited(state)
  catch
    # Code of the user that cannot handle the output must not keep the program alive.
    kind, reason ->
      Port.abandon(session)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp await_exited(state) do
    {event, session} = Port.next(state.session)

    case handle_event(event, %{state | session: session}) do
      {:noreply, state} -> await_exited(state)
      {:stop, _reason, _state} -> :ok
    end
  end
end
