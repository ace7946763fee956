# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer do
  @moduledoc false

  # The fork server is one operating-system process of muontrap, which forks a session for each connection.
  # docs/protocol.md describes both. Commands get its address from fetch/0, and connect themselves.
  #
  # MuonTrap.ForkServer.Server owns its port. These functions ask that process for what only the fork
  # server knows: when the process of a session, and all that it left behind, is gone.

  alias MuonTrap.{Deadline, Error, Startup}
  alias MuonTrap.ForkServer.{Control, Current, Server}

  # Until the supervisor has restarted MuonTrap.ForkServer.Server.
  @restart_pause_ms 5

  @type t :: Current.t()

  @typedoc "A number that names a connection, and with it the session."
  @type connection :: pos_integer()

  @doc "Whether programs are run by sessions of a fork server."
  @spec used?() :: boolean()
  def used? do
    case Application.get_env(:muontrap, :fork_server, true) do
      used? when is_boolean(used?) -> used?
      other -> raise ArgumentError, invalid(other)
    end
  end

  defp invalid(value) do
    "invalid configuration of :muontrap, :fork_server: expected true or false, got: " <>
      inspect(value)
  end

  @doc "The running fork server. Starts it if it does not run, which may take until after the deadline: `:timeout`."
  @spec fetch(Deadline.t()) :: {:ok, t()} | {:error, Error.t()} | :timeout
  def fetch(deadline \\ :infinity) do
    case Current.get() do
      nil -> call({:fetch, nil}, deadline)
      current -> {:ok, current}
    end
  end

  @doc "The fork server that follows `failed`, which refused a connection."
  @spec fetch_next(t(), Deadline.t()) :: {:ok, t()} | {:error, Error.t()} | :timeout
  def fetch_next(failed, deadline), do: call({:fetch, failed.id}, deadline)

  @doc """
  Makes sure that the fork server is neither stopped nor stuck. If it is, another takes its place, and the answer is
  an error for the command that waited for it.
  """
  @spec check(t(), Deadline.t()) :: :ok | {:error, Error.t()} | :timeout
  def check(server, deadline), do: call({:check, server.id}, deadline)

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
  def await_end(connection, pid, timeout),
    do: call({:await_end, connection, pid, timeout}, :infinity)

  @doc """
  What the address of a client's socket has behind that of the fork server. `watched?`: the owner of the connection gets
  the end of its session as a message, `{:session_ended, connection, ended}`, if it is among the predecessors.
  """
  @spec suffix(connection(), watched? :: boolean()) :: binary()
  def suffix(connection, watched?) do
    digits = Base.encode16(<<connection::64>>, case: :lower)
    if watched?, do: <<?., digits::binary, ?+>>, else: <<?., digits::binary>>
  end

  @doc "Has the fork server given the environment that `MuonTrap.ForkServer.Environment` has published."
  @spec publish_environment() :: :ok
  def publish_environment, do: GenServer.cast(Server, :publish_environment)

  # The process may be between two lives.
  defp call(request, deadline, attempts \\ 50) do
    GenServer.call(Server, request, Deadline.remaining(deadline))
  catch
    # The answer is discarded when it comes.
    :exit, {:timeout, {GenServer, :call, _call}} ->
      :timeout

    :exit, {reason, {GenServer, :call, _call}}
    when reason in [:noproc, :killed, :normal, :shutdown] and attempts > 0 ->
      if Deadline.over?(deadline), do: :timeout, else: call_next(request, deadline, attempts - 1)
  end

  defp call_next(request, deadline, attempts) do
    if Process.whereis(MuonTrap.Supervisor) == nil, do: Startup.ensure_started(deadline)
    Process.sleep(@restart_pause_ms)
    call(request, deadline, attempts)
  end
end
