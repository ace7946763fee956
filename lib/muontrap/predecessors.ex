# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Predecessors do
  @moduledoc false

  # Keeps the old copy of a daemon's program and its successor apart, even when the old daemon was
  # killed without a chance to clean up.
  #
  # Each daemon has an entry in a table, from before its session is opened until the session is gone.
  # The key is its command and arguments. The value says what to wait for: a connection to the fork
  # server, or a guard. A new daemon waits for the entries whose owner is dead.
  #
  # It asks Process.alive?/1 and not the guard or the fork server: the supervisor may be told of a
  # daemon's death before they are.

  alias MuonTrap.ForkServer

  @table __MODULE__

  @typedoc "What a daemon runs."
  @type key :: {command :: binary(), args :: [binary()]}

  @typedoc "What has to end: a guard, or a connection, and the process of the session once its pid is known."
  @type session ::
          pid()
          | {ForkServer.connection(), session_pid :: pos_integer() | nil, patience :: timeout()}

  @opaque entry :: {hash :: non_neg_integer(), owner :: pid(), session()}

  @doc "Makes the table, which lasts as long as the calling process."
  @spec create_table() :: :ok
  def create_table do
    @table = :ets.new(@table, [:named_table, :public, :duplicate_bag, write_concurrency: true])
    :ok
  end

  @doc "Enters the daemon `owner`, with the connection to its session or the guard of its helper."
  @spec enter(key(), owner :: pid(), session()) ::
          {:ok, entry()} | {:error, :not_started}
  def enter(key, owner, session) do
    entry = {hash(key), owner, session}
    true = :ets.insert(@table, entry)
    {:ok, entry}
  rescue
    # The table is not there.
    ArgumentError -> {:error, :not_started}
  end

  @doc "Notes the pid of a session."
  @spec started(entry(), pos_integer()) :: :ok
  def started({hash, owner, {connection, _pid, patience}} = entry, pid) do
    # Never without an entry.
    :ets.insert(@table, {hash, owner, {connection, pid, patience}})
    :ets.delete_object(@table, entry)
    :ok
  rescue
    ArgumentError -> :ok
  end

  @doc "Takes an entry off, whether the table is there or not."
  @spec leave(entry()) :: :ok
  def leave({hash, owner, session}) do
    session = if is_pid(session), do: session, else: {elem(session, 0), :_, :_}
    :ets.match_delete(@table, {hash, owner, session})
    :ok
  rescue
    ArgumentError -> :ok
  end

  @doc "Waits until nothing is left of daemons of this command and these arguments that have died."
  @spec await(key()) :: :ok | {:error, :not_started}
  def await(key) do
    hash = hash(key)

    # The owners alone, since what is copied here stays in the heap of the daemon for a while.
    if @table |> :ets.lookup_element(hash, 2) |> all_alive?(),
      do: :ok,
      else: @table |> :ets.lookup(hash) |> Enum.each(&await_session_of_dead/1)
  rescue
    # No daemon has these, or there is no table.
    ArgumentError -> if :ets.whereis(@table) == :undefined, do: {:error, :not_started}, else: :ok
  end

  defp all_alive?([owner | owners]), do: Process.alive?(owner) and all_alive?(owners)
  defp all_alive?([]), do: true

  defp await_session_of_dead({_hash, owner, session} = entry) do
    if not Process.alive?(owner) do
      _ended = await_end(session)
      # A guard that was killed has left its entry.
      leave(entry)
    end
  end

  defp await_end(guard) when is_pid(guard) do
    ref = :erlang.monitor(:process, guard)

    receive do
      {:DOWN, ^ref, :process, ^guard, _reason} -> :ok
    end
  end

  defp await_end({connection, pid, patience}),
    do: ForkServer.await_end(connection, pid, patience)

  # With a thousand copies of one program, the hash is faster by far to compare and to copy. Two
  # programs that share one wait for each other's dead, too, which does no harm.
  defp hash(key), do: :erlang.phash2(key)
end
