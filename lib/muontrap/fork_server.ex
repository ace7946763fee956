# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer do
  @moduledoc false

  # Owns the port of the fork server, which is one operating-system process of muontrap that forks
  # a session for each connection. docs/protocol.md describes both.
  #
  # It is executed when the first program is started, and again when it died. Sessions outlive it.
  # Commands do not pass through this process: they get the address from fetch/0 and connect
  # themselves. Here is what only the fork server knows: when the process of a session, and all
  # that it left, is gone.

  use GenServer

  alias MuonTrap.{Error, Helper, Label}
  alias MuonTrap.ForkServer.{Control, Environment}

  # A fork server that is not stopped or stuck answers within a millisecond.
  @answer_ms 2_000
  # Executing it takes milliseconds, also on a small board under load.
  @ready_ms 10_000
  # Before this process is called again, when its supervisor is restarting it.
  @restart_pause_ms 5

  @current {__MODULE__, :current}

  @typedoc """
  What is needed to connect, and to send an environment. `id` tells one fork server from the next. The token and the
  variables are in a function, so that no log and no crash report shows them.
  """
  @type t :: %{
          id: reference(),
          os_pid: pos_integer(),
          address: binary(),
          reveal: (() -> {token :: binary(), Environment.raw()})
        }

  @typedoc "A number that names a connection, and with it the session."
  @type connection :: pos_integer()

  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Whether programs are run by sessions of a fork server. Its address is one that only Linux has."
  @spec used?() :: boolean()
  def used? do
    case Application.get_env(:muontrap, :fork_server, :default) do
      :default -> :os.type() == {:unix, :linux}
      used? when is_boolean(used?) -> used?
      other -> raise ArgumentError, invalid(other)
    end
  end

  defp invalid(value) do
    "invalid configuration of :muontrap, :fork_server: expected true or false, got: " <>
      inspect(value)
  end

  @doc "The running fork server. Starts it if it does not run."
  @spec fetch() :: {:ok, t()} | {:error, Error.t()}
  def fetch do
    case :persistent_term.get(@current, nil) do
      nil -> call({:fetch, nil})
      current -> {:ok, current}
    end
  end

  @doc "The fork server that follows `failed`, which refused a connection."
  @spec fetch_next(t()) :: {:ok, t()} | {:error, Error.t()}
  def fetch_next(failed), do: call({:fetch, failed.id})

  @doc """
  Makes sure that the fork server is neither stopped nor stuck. If it is, another takes its place, and the answer is
  an error for the command that waited for it.
  """
  @spec check(t()) :: :ok | {:error, Error.t()}
  def check(server), do: call({:check, server.id})

  @doc "What `Environment` has to know of the running fork server."
  @spec raw_environment() :: Environment.raw()
  def raw_environment do
    case :persistent_term.get(@current, nil) do
      nil -> %{}
      current -> elem(current.reveal.(), 1)
    end
  end

  @doc """
  A number for a new connection. It is part of the address of the client's socket. Half of it depends on a secret, so that
  others cannot take the address before.
  """
  @spec new_connection(secret :: binary()) :: connection()
  def new_connection(secret) do
    unique = :erlang.unique_integer([:positive])
    <<number::64>> = <<unique::32, :erlang.phash2({secret, unique}, 0x100000000)::32>>
    max(number, 1)
  end

  @doc """
  Waits until the session of a connection is gone, and all that it left. `pid` is that of the session, if it is known. The
  session is killed if it is not gone after `timeout` milliseconds.
  """
  @spec await_end(connection(), pos_integer() | nil, timeout()) :: Control.session_end()
  def await_end(connection, pid, timeout), do: call({:await_end, connection, pid, timeout})

  @doc """
  Has `ended` called, in this process, when `owner` has died without `await_end/3`, and the session is gone. `pid` is called
  then for the pid of the session, if it is known.
  """
  @spec on_end_of(pid(), connection(), (() -> pos_integer() | nil), (() -> term())) :: :ok
  def on_end_of(owner, connection, pid, ended),
    do: GenServer.cast(__MODULE__, {:on_end_of, owner, connection, {pid, ended}})

  @doc "Takes back `on_end_of/4`, for a connection that was never made."
  @spec forget(connection()) :: :ok
  def forget(connection), do: GenServer.cast(__MODULE__, {:forget, connection})

  @doc "Gives the fork server an environment, for the sessions to come."
  @spec put_environment(pos_integer(), iodata()) :: :ok
  def put_environment(number, variables) do
    frame = Control.environment(number, variables)
    # In a function for the same reason as in t/0.
    GenServer.cast(__MODULE__, {:put_environment, fn -> frame end})
  end

  # This process may be between two lives.
  defp call(request, attempts \\ 50) do
    GenServer.call(__MODULE__, request, :infinity)
  catch
    :exit, {reason, {GenServer, :call, _call}}
    when reason in [:noproc, :killed, :normal, :shutdown] and attempts > 0 ->
      if Process.whereis(MuonTrap.Supervisor) == nil, do: MuonTrap.Startup.ensure_started()
      Process.sleep(@restart_pause_ms)
      call(request, attempts - 1)
  end

  # The process

  defstruct [
    :port,
    :writer,
    :server,
    :token,
    :timer,
    :probe,
    :stuck_pid,
    environment: nil,
    waiting: [],
    checks: [],
    watches: %{},
    owners: %{}
  ]

  @impl GenServer
  def init([]) do
    Process.flag(:trap_exit, true)
    # A killed predecessor of this process has left it.
    :persistent_term.erase(@current)
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
    command(state.writer, Control.count())
    timer = Process.send_after(self(), {:no_answer, id}, @answer_ms)
    {:noreply, %{state | checks: [{from, timer} | state.checks]}}
  end

  def handle_call({:check, _earlier}, _from, state), do: {:reply, {:error, replaced()}, state}

  def handle_call({:await_end, connection, pid, timeout}, from, state) do
    {:noreply, add_watch(state, connection, {pid, timeout, from})}
  end

  @impl GenServer
  def handle_cast({:on_end_of, owner, connection, functions}, state) do
    monitor = :erlang.monitor(:process, owner, tag: {:owner_died, connection})
    {:noreply, %{state | owners: Map.put(state.owners, connection, {monitor, functions})}}
  end

  def handle_cast({:forget, connection}, state), do: {:noreply, forget_owner(state, connection)}

  def handle_cast({:put_environment, reveal}, state) do
    command(state.writer, reveal.())
    {:noreply, %{state | environment: reveal}}
  end

  @impl GenServer
  def handle_info({port, {:data, data}}, %{port: port} = state),
    do: {:noreply, handle_frame(Control.decode(data), state)}

  def handle_info({port, {:exit_status, status}}, %{port: port} = state),
    do: {:noreply, died(state, Helper.fork_server_error(status))}

  def handle_info({:EXIT, port, _reason}, %{port: port} = state),
    do: {:noreply, died(state, Helper.fork_server_error(nil))}

  def handle_info({:no_answer, id}, %{server: %{id: id} = server, checks: [_ | _]} = state) do
    for {from, timer} <- state.checks do
      _left = Process.cancel_timer(timer)
      reply_check(from, {:error, stuck()})
    end

    state = close(%{state | checks: [], stuck_pid: server.os_pid})
    {:noreply, if(state.watches == %{}, do: state, else: open(state))}
  end

  def handle_info({:probe, id}, %{server: %{id: id}, watches: watches} = state)
      when watches != %{} do
    command(state.writer, Control.count())
    timer = Process.send_after(self(), {:no_answer, id}, @answer_ms)
    {:noreply, %{state | probe: nil, checks: [{nil, timer} | state.checks]}}
  end

  def handle_info({:probe, id}, %{server: %{id: id}} = state),
    do: {:noreply, %{state | probe: nil}}

  def handle_info({:not_ready, port}, %{port: port, server: nil} = state) do
    {:noreply, state |> close() |> fail(stuck())}
  end

  def handle_info({{:owner_died, connection}, _monitor, :process, _owner, _reason}, state) do
    case Map.pop(state.owners, connection) do
      {{_monitor, {pid, ended}}, owners} ->
        state = %{state | owners: owners}
        {:noreply, add_watch(state, connection, {pid.(), :infinity, ended})}

      # It was too late to take the monitor back.
      {nil, _owners} ->
        {:noreply, state}
    end
  end

  def handle_info(_late, state), do: {:noreply, state}

  # What comes from the fork server

  defp handle_frame({:ready, ready}, %{server: nil} = state) do
    _left = Process.cancel_timer(state.timer)

    token = state.token.()
    raw = Environment.raw(ready.variables)

    server = %{
      id: make_ref(),
      os_pid: ready.os_pid,
      address: ready.address,
      reveal: fn -> {token, raw} end
    }

    :persistent_term.put(@current, server)
    if state.environment, do: command(state.writer, state.environment.())
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
    for {_pid, _timeout, from} <- watches, do: answer(from, ended)
    forget_owner(%{state | watches: later}, connection)
  end

  defp handle_frame({:counts, _counts}, state) do
    for {from, timer} <- state.checks do
      _left = Process.cancel_timer(timer)
      reply_check(from, :ok)
    end

    state = %{state | checks: []}
    if state.watches == %{}, do: state, else: probe_later(state)
  end

  defp handle_frame({:unknown, _frame}, state), do: state

  # Nobody asked for a probe.
  defp reply_check(nil, _answer), do: :ok
  defp reply_check(from, answer), do: GenServer.reply(from, answer)

  defp answer(fun, _ended) when is_function(fun, 0), do: fun.()
  defp answer(from, ended), do: GenServer.reply(from, ended)

  # Executing the fork server, and its end

  defp open(%{port: nil} = state) do
    with {:ok, helper} <- Helper.find(),
         {:ok, port} <- open_port(helper) do
      token = :crypto.strong_rand_bytes(32)
      # Not by :proc_lib, whose crash reports show the mailbox: frames have the environment.
      writer = spawn_link(__MODULE__, :init_writer, [port])
      command(writer, Control.config(token, state.stuck_pid))
      timer = Process.send_after(self(), {:not_ready, port}, @ready_ms)
      %{state | port: port, writer: writer, token: fn -> token end, timer: timer}
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
    command(state.writer, Control.watch(connection, pid, timeout))
    probe_later(state)
  end

  # Without a flush, which would search the mailbox: a message that has come is ignored.
  defp forget_owner(state, connection) do
    case Map.pop(state.owners, connection) do
      {{monitor, _functions}, owners} ->
        Process.demonitor(monitor)
        %{state | owners: owners}

      {nil, _owners} ->
        state
    end
  end

  # An end that does not come may be due to the fork server.
  defp probe_later(%{probe: nil, server: server} = state),
    do: %{state | probe: Process.send_after(self(), {:probe, server.id}, @answer_ms)}

  defp probe_later(state), do: state

  defp command(nil, _frame), do: :ok

  defp command(writer, frame) do
    send(writer, {:frame, frame})
    :ok
  end

  # A process of its own, since a fork server that is stopped does not read, and writing to its
  # full pipe would suspend the one that has to notice.
  @doc false
  @spec init_writer(port()) :: term()
  def init_writer(port) do
    Label.set("MuonTrap: writes to the fork server")
    write(port)
  end

  defp write(port) do
    receive do
      {:frame, frame} -> if write(port, frame), do: write(port)
    end
  end

  # A port that is closed says so in a message.
  defp write(port, frame) do
    Port.command(port, frame)
  rescue
    ArgumentError -> false
  end

  # Commands that are waiting get the error, if it never was ready: executing it once more would
  # not help them.
  defp died(%{server: nil} = state, error), do: state |> close() |> fail(error)

  defp died(state, _error) do
    state = close(state)
    if state.watches == %{}, do: state, else: open(state)
  end

  defp close(state) do
    :persistent_term.erase(@current)

    for {from, timer} <- state.checks do
      _left = Process.cancel_timer(timer)
      reply_check(from, {:error, replaced()})
    end

    _left = if state.timer, do: Process.cancel_timer(state.timer)
    _left = if state.probe, do: Process.cancel_timer(state.probe)
    if state.writer, do: Process.exit(state.writer, :kill)
    if state.port, do: close_port(state.port)

    %{
      state
      | port: nil,
        writer: nil,
        server: nil,
        token: nil,
        timer: nil,
        probe: nil,
        checks: []
    }
  end

  defp close_port(port) do
    Port.close(port)
  rescue
    ArgumentError -> true
  end

  defp fail(state, error) do
    for from <- state.waiting, do: GenServer.reply(from, {:error, error})
    ended = %{how: :unknown, code: 0, swept: 0, survivors: 0}

    for {_connection, watches} <- state.watches,
        {_pid, _timeout, from} <- watches,
        do: answer(from, ended)

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
