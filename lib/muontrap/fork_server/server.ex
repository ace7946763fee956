# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.Server do
  @moduledoc false

  # Owns the port of the fork server. It executes the fork server when the first program is started, and again
  # when that has died or does not answer. Sessions outlive both.

  use GenServer

  alias MuonTrap.{Error, Helper, Ports, Predecessors}
  alias MuonTrap.ForkServer.{Control, Current, Environment, Writer}

  # A fork server that is not stopped or stuck answers within a millisecond.
  @answer_ms 2_000
  # A timer that expires while all processes are suspended, as in a virtual machine that is paused, says nothing
  # about the fork server. So the time is waited for in two halves.
  @half_answer_ms div(@answer_ms, 2)
  # Executing it takes milliseconds, also on a small board under load.
  @ready_ms 10_000

  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  defstruct [
    :port,
    :writer,
    :server,
    :id,
    :timer,
    :probe,
    :stuck_pid,
    waiting: [],
    checks: [],
    watches: %{}
  ]

  @impl GenServer
  def init([]) do
    Process.flag(:trap_exit, true)
    # A killed predecessor of this process has left it.
    Current.clear()
    {:ok, %__MODULE__{}}
  end

  @impl GenServer
  def handle_call({:fetch, failed}, _from, %{server: %{id: id} = server} = state)
      when id != failed,
      do: {:reply, {:ok, server}, state}

  def handle_call({:fetch, failed}, from, state) do
    # Its exit status comes any moment if it died. Otherwise its socket does not work any more.
    state = if state.server && state.server.id == failed, do: close(state), else: state
    {:noreply, open(%{state | waiting: [from | state.waiting]})}
  end

  def handle_call({:check, id}, from, %{server: %{id: id}} = state) do
    {:noreply, start_check(state, from)}
  end

  def handle_call({:check, _earlier}, _from, state), do: {:reply, {:error, replaced()}, state}

  def handle_call({:await_end, connection, pid, timeout}, from, state) do
    {:noreply, add_watch(state, connection, {pid, timeout, from})}
  end

  @impl GenServer
  def handle_cast(:publish_environment, state) do
    if state.server, do: write_environment(state)
    {:noreply, state}
  end

  @impl GenServer
  def handle_info({port, {:data, data}}, %{port: port} = state),
    do: {:noreply, handle_frame(Control.decode(data), state)}

  def handle_info({port, {:exit_status, status}}, %{port: port} = state),
    do: {:noreply, died(state, Helper.fork_server_error(status))}

  def handle_info({:EXIT, port, _reason}, %{port: port} = state),
    do: {:noreply, died(state, Helper.fork_server_error(nil))}

  def handle_info({:no_answer, check, half}, state) do
    case {List.keyfind(state.checks, check, 0), half} do
      {nil, _answered} -> {:noreply, state}
      {{_check, from, _timer}, :first} -> {:noreply, await_second_half(state, check, from)}
      {_check, :second} -> {:noreply, replace_stuck(state)}
    end
  end

  def handle_info({:probe, id}, %{server: %{id: id}, watches: watches} = state)
      when watches != %{} do
    {:noreply, start_check(%{state | probe: nil}, nil)}
  end

  def handle_info({:probe, id}, %{server: %{id: id}} = state),
    do: {:noreply, %{state | probe: nil}}

  def handle_info({:not_ready, port}, %{port: port, server: nil} = state) do
    {:noreply, state |> close() |> fail(stuck())}
  end

  def handle_info({{:owner_died, connection}, _monitor, :process, _owner, _reason}, state) do
    case Predecessors.session_pid(connection) do
      {:ok, pid} -> {:noreply, add_watch(state, connection, {pid, :infinity, nil})}
      # It had ended before.
      :error -> {:noreply, state}
    end
  end

  def handle_info(_late, state), do: {:noreply, state}

  # What comes from the fork server

  defp handle_frame({:ready, ready}, %{server: nil} = state) do
    _left = Process.cancel_timer(state.timer)
    monitor_owners()
    server = ready |> Map.take([:os_pid, :address, :client_directory?]) |> Map.put(:id, state.id)
    Current.put(server, Environment.raw(ready.variables))
    write_environment(%{state | server: server})
    for from <- state.waiting, do: GenServer.reply(from, {:ok, server})
    state = %{state | server: server, stuck_pid: nil, waiting: []}

    for {connection, watches} <- state.watches, watch <- watches, reduce: state do
      state -> watch(state, connection, watch)
    end
  end

  defp handle_frame({:failed, failed}, state),
    do: state |> close() |> fail(Error.from_failed(failed))

  defp handle_frame({:session_ended, connection, ended}, state) do
    {watches, later} = Map.pop(state.watches, connection, [])
    end_session(connection, watches, ended)
    %{state | watches: later}
  end

  defp handle_frame({:counts, _counts}, state) do
    state = end_checks(state, :ok)
    if state.watches == %{}, do: state, else: probe_later(state)
  end

  defp handle_frame({:unknown, _frame}, state), do: state

  # Checks, each of which is a reference, who asked for it, and a timer

  defp start_check(state, from) do
    Writer.write(state.writer, Control.count())
    check = make_ref()
    timer = Process.send_after(self(), {:no_answer, check, :first}, @half_answer_ms)
    %{state | checks: [{check, from, timer} | state.checks]}
  end

  defp await_second_half(state, check, from) do
    timer = Process.send_after(self(), {:no_answer, check, :second}, @half_answer_ms)
    %{state | checks: List.keyreplace(state.checks, check, 0, {check, from, timer})}
  end

  defp replace_stuck(state) do
    state = end_checks(%{state | stuck_pid: state.server.os_pid}, {:error, stuck()})
    state = close(state)
    if state.watches == %{}, do: state, else: open(state)
  end

  defp end_checks(state, answer) do
    for {_check, from, timer} <- state.checks do
      _left = Process.cancel_timer(timer)
      reply_check(from, answer)
    end

    %{state | checks: []}
  end

  # Nobody asked for a probe.
  defp reply_check(nil, _answer), do: :ok
  defp reply_check(from, answer), do: GenServer.reply(from, answer)

  defp end_session(connection, watches, ended) do
    with {:ok, owner} <- Predecessors.ended(connection),
         do: send(owner, {:session_ended, connection, ended})

    # Nobody waits for a session whose owner has died.
    Enum.each(watches, fn {_pid, _timeout, from} -> if from, do: GenServer.reply(from, ended) end)
  end

  # What is left are sessions of earlier fork servers, whose end this one does not report by itself.
  defp monitor_owners do
    Enum.each(Predecessors.connections(), fn {connection, owner} ->
      :erlang.monitor(:process, owner, tag: {:owner_died, connection})
    end)
  end

  defp write_environment(state) do
    {_token, raw} = Current.secrets(state.server)
    if frame = Environment.frame(raw), do: Writer.write(state.writer, frame)
  end

  # Executing the fork server, and its end

  defp open(%{port: nil} = state) do
    with {:ok, helper} <- Helper.find(),
         {:ok, port} <- open_port(helper) do
      id = make_ref()
      token = :crypto.strong_rand_bytes(32)
      Current.put_token(id, token)
      writer = Writer.start_link(port)
      Writer.write(writer, Control.config(token, state.stuck_pid))
      timer = Process.send_after(self(), {:not_ready, port}, @ready_ms)
      %{state | port: port, writer: writer, id: id, timer: timer}
    else
      {:error, error} -> fail(state, error)
    end
  end

  defp open(state), do: state

  # Descriptors 3 and 4, so that a program can inherit 0 to 2 of the BEAM.
  defp open_port(helper) do
    options = [{:packet, 4}, :binary, :exit_status, :hide, :nouse_stdio, args: ["--fork-server"]]
    {:ok, Port.open({:spawn_executable, helper}, options)}
  catch
    :error, reason -> {:error, Helper.start_error(helper, reason)}
  end

  defp add_watch(state, connection, watch) do
    watches = Map.update(state.watches, connection, [watch], &[watch | &1])
    watch(%{state | watches: watches}, connection, watch)
  end

  defp watch(%{server: nil} = state, _connection, _watch), do: open(state)

  defp watch(state, connection, {pid, timeout, _from}) do
    Writer.write(state.writer, Control.watch(connection, pid, timeout))
    probe_later(state)
  end

  # An end that does not come may be due to the fork server.
  defp probe_later(%{probe: nil, server: server} = state),
    do: %{state | probe: Process.send_after(self(), {:probe, server.id}, @answer_ms)}

  defp probe_later(state), do: state

  # Commands that are waiting get the error, if it never was ready: executing it once more would
  # not help them.
  defp died(%{server: nil} = state, error), do: state |> close() |> fail(error)

  defp died(state, _error) do
    state = close(state)
    if state.watches == %{}, do: state, else: open(state)
  end

  defp close(state) do
    Current.clear()
    state = end_checks(state, {:error, replaced()})
    _left = if state.timer, do: Process.cancel_timer(state.timer)
    _left = if state.probe, do: Process.cancel_timer(state.probe)
    if state.writer, do: Process.exit(state.writer, :kill)
    if state.port, do: Ports.close(state.port)
    remove_socket(state.server)

    %{
      state
      | port: nil,
        writer: nil,
        server: nil,
        id: nil,
        timer: nil,
        probe: nil
    }
  end

  # A fork server that was killed leaves its socket behind, where that is a file.
  defp remove_socket(%{address: <<?/, _rest::binary>> = path}) do
    folder = Path.dirname(path)
    _removed = if String.starts_with?(Path.basename(folder), "muontrap-"), do: File.rm_rf(folder)
    :ok
  end

  defp remove_socket(_server), do: :ok

  defp fail(state, error) do
    for from <- state.waiting, do: GenServer.reply(from, {:error, error})
    ended = %{how: :unknown, code: 0, swept: 0, survivors: 0}

    Enum.each(state.watches, fn {connection, watches} ->
      end_session(connection, watches, ended)
    end)

    %{state | waiting: [], watches: %{}}
  end

  defp stuck do
    %Error{
      step: :helper,
      message: "the fork server of muontrap does not answer, since it is stopped or stuck",
      advice: "another takes its place, so try again"
    }
  end

  defp replaced do
    %Error{
      step: :helper,
      message: "the fork server of muontrap was replaced while the program was being started",
      advice: "try again"
    }
  end
end
