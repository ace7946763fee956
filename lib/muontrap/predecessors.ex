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
  #
  # A thousand daemons may have the same key. So everything that changes is in a second table, which
  # has the connections to the fork server, and an entry is removed without a search by pattern.

  alias MuonTrap.ForkServer

  @table __MODULE__
  @connections Module.concat(__MODULE__, Connections)

  @typedoc "What a daemon runs."
  @type key :: {command :: binary(), args :: [binary()]}

  @typedoc "What has to end: a guard, or the session of a connection."
  @type session :: pid() | ForkServer.connection()

  @opaque entry :: {hash :: non_neg_integer(), owner :: pid(), session()}

  @doc "Makes the tables, which last as long as the calling process."
  @spec create_tables() :: :ok
  def create_tables do
    @table = :ets.new(@table, [:named_table, :public, :duplicate_bag, write_concurrency: true])
    @connections = :ets.new(@connections, [:named_table, :public, write_concurrency: true])
    :ok
  end

  @doc "Enters the daemon `owner`, with the guard of its helper."
  @spec enter(key(), owner :: pid(), guard :: pid()) :: {:ok, entry()} | {:error, :not_started}
  def enter(key, owner, guard) when is_pid(guard), do: insert({hash(key), owner, guard})

  @doc """
  Enters the daemon `owner`, with the connection to its session. A successor has the session killed if it does not end
  within `patience` milliseconds.
  """
  @spec enter(key(), owner :: pid(), ForkServer.connection(), patience :: timeout()) ::
          {:ok, entry()} | {:error, :not_started}
  def enter(key, owner, connection, patience) do
    true = :ets.insert(@connections, {connection, nil, patience})
    insert({hash(key), owner, connection})
  rescue
    # The table is not there.
    ArgumentError -> {:error, :not_started}
  end

  defp insert(entry) do
    true = :ets.insert(@table, entry)
    {:ok, entry}
  rescue
    ArgumentError -> {:error, :not_started}
  end

  @doc "Notes the pid of the session of a connection."
  @spec started(ForkServer.connection(), pos_integer()) :: :ok
  def started(connection, session_pid) do
    _known = :ets.update_element(@connections, connection, {2, session_pid})
    :ok
  rescue
    ArgumentError -> :ok
  end

  @doc "The pid of the session of a connection, once it is known."
  @spec session_pid(ForkServer.connection()) :: pos_integer() | nil
  def session_pid(connection) do
    :ets.lookup_element(@connections, connection, 2)
  rescue
    ArgumentError -> nil
  end

  @doc "Takes an entry off, whether the tables are there or not."
  @spec leave(entry()) :: :ok
  def leave({_hash, _owner, session} = entry) do
    true = :ets.delete_object(@table, entry)
    if is_integer(session), do: :ets.delete(@connections, session)
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

  defp await_end(connection) do
    case :ets.lookup(@connections, connection) do
      [{_connection, pid, patience}] -> ForkServer.await_end(connection, pid, patience)
      # It is gone since.
      [] -> :ok
    end
  end

  # With a thousand copies of one program, the hash is faster by far to compare and to copy. Two
  # programs that share one wait for each other's dead, too, which does no harm.
  defp hash(key), do: :erlang.phash2(key)
end
