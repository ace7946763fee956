# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Predecessors do
  @moduledoc false

  # Keeps the old copy of a daemon's program and its successor apart, even when the old daemon was
  # killed without a chance to clean up.
  #
  # Each daemon has an entry in a table, from before its session is told what to run until the session is gone.
  # The key is its command and arguments. The value says what to wait for: a connection to the fork
  # server, or a guard. A new daemon waits for the entries whose owner is dead.
  #
  # It asks Process.alive?/1 and not the guard or the fork server: the supervisor may be told of a
  # daemon's death before they are.
  #
  # A session of the fork server is entered twice: by the command, and by its connection, with all that is known about
  # it. The fork server reports the end of each, which removes both, whether the owner is alive or not.

  @table __MODULE__
  @connections Module.concat(__MODULE__, Connections)

  # By a part of the session, so that a thousand daemons of one command do not have the same key.
  @buckets 8

  # As in MuonTrap.ForkServer, whose GenServer takes entries off here.
  @typep connection :: pos_integer()

  @typedoc "What a daemon runs."
  @type key :: {command :: binary(), args :: [binary()]}

  @opaque entry ::
            connection()
            | {bucket :: non_neg_integer(), owner :: pid(), guard :: pid()}

  @doc "Makes the tables, which last as long as the calling process."
  @spec create_tables() :: :ok
  def create_tables do
    @table = :ets.new(@table, [:named_table, :public, :duplicate_bag, write_concurrency: true])
    @connections = :ets.new(@connections, [:named_table, :public, write_concurrency: true])
    :ok
  end

  @doc "Enters the daemon `owner`, with the guard of its helper."
  @spec enter(key(), owner :: pid(), guard :: pid()) :: {:ok, entry()} | {:error, :not_started}
  def enter(key, owner, guard) when is_pid(guard),
    do: insert({bucket(hash(key), guard), owner, guard})

  @doc """
  Enters the daemon `owner`, with the connection to its session. A successor has the session killed if it does not end
  within `patience` milliseconds.
  """
  @spec enter(key(), owner :: pid(), connection(), patience :: timeout()) ::
          {:ok, entry()} | {:error, :not_started}
  def enter(key, owner, connection, patience) do
    bucket = bucket(hash(key), connection)
    true = :ets.insert(@connections, {connection, bucket, owner, nil, patience})
    with {:ok, _object} <- insert({bucket, owner, connection}), do: {:ok, connection}
  rescue
    # The table is not there.
    ArgumentError -> {:error, :not_started}
  end

  defp insert(object) do
    true = :ets.insert(@table, object)
    {:ok, object}
  rescue
    ArgumentError -> {:error, :not_started}
  end

  @doc "Notes the pid of the session of a connection."
  @spec started(connection(), pos_integer()) :: :ok
  def started(connection, session_pid) do
    _known = :ets.update_element(@connections, connection, {4, session_pid})
    :ok
  rescue
    ArgumentError -> :ok
  end

  @doc "The pid of the session of a connection, once it is known. `:error` if there is no such session any more."
  @spec session_pid(connection()) :: {:ok, pos_integer() | nil} | :error
  def session_pid(connection) do
    {:ok, :ets.lookup_element(@connections, connection, 4)}
  rescue
    ArgumentError -> :error
  end

  @doc "All connections with their owners."
  @spec connections() :: [{connection(), owner :: pid()}]
  def connections do
    for {connection, _bucket, owner, _pid, _patience} <- :ets.tab2list(@connections),
        do: {connection, owner}
  rescue
    ArgumentError -> []
  end

  @doc "Takes off the entry of a session that has ended. Returns its owner."
  @spec ended(connection()) :: {:ok, owner :: pid()} | :error
  def ended(connection) do
    case :ets.take(@connections, connection) do
      [{_connection, bucket, owner, _pid, _patience}] ->
        true = :ets.delete_object(@table, {bucket, owner, connection})
        {:ok, owner}

      [] ->
        :error
    end
  rescue
    ArgumentError -> :error
  end

  @doc "Takes an entry off, whether the tables are there or not."
  @spec leave(entry()) :: :ok
  def leave(connection) when is_integer(connection) do
    _owner = ended(connection)
    :ok
  end

  def leave(object) do
    true = :ets.delete_object(@table, object)
    :ok
  rescue
    ArgumentError -> :ok
  end

  @doc """
  Waits until nothing is left of daemons of this command and these arguments that have died. `await_end` is
  `MuonTrap.ForkServer.await_end/3`.
  """
  @spec await(key(), (connection(), pos_integer() | nil, timeout() -> term())) ::
          :ok | {:error, :not_started}
  def await(key, await_end) do
    hash = hash(key)
    Enum.each(0..(@buckets - 1), &await_bucket(hash + &1, await_end))
  rescue
    # There is no table.
    ArgumentError -> {:error, :not_started}
  end

  defp await_bucket(bucket, await_end) do
    if :ets.member(@table, bucket) and not (bucket |> owners() |> all_alive?()),
      do: @table |> :ets.lookup(bucket) |> Enum.each(&await_session_of_dead(&1, await_end))
  end

  # The owners alone, since what is copied here stays in the heap of the daemon for a while.
  defp owners(bucket) do
    :ets.lookup_element(@table, bucket, 2)
  rescue
    # The last one has left since.
    ArgumentError -> []
  end

  defp all_alive?([owner | owners]), do: Process.alive?(owner) and all_alive?(owners)
  defp all_alive?([]), do: true

  defp await_session_of_dead({_bucket, owner, session} = object, await_end) do
    if not Process.alive?(owner), do: await_session(session, object, await_end)
  end

  defp await_session(guard, object, _await_end) when is_pid(guard) do
    ref = :erlang.monitor(:process, guard)

    receive do
      {:DOWN, ^ref, :process, ^guard, _reason} -> :ok
    end

    # A guard that was killed has left it.
    leave(object)
  end

  defp await_session(connection, object, await_end) do
    case :ets.lookup(@connections, connection) do
      [{_connection, _bucket, _owner, pid, patience}] ->
        _ended = await_end.(connection, pid, patience)
        leave(connection)

      # It is gone since. A GenServer that was killed in ended/1 has left the object.
      [] ->
        leave(object)
    end
  end

  # With a thousand copies of one program, the hash is faster by far to compare and to copy. Two
  # programs that share one wait for each other's dead, too, which does no harm.
  defp hash(key), do: :erlang.phash2(key) * @buckets

  # To delete an object, ETS compares it with the others of its key.
  defp bucket(hash, session), do: hash + :erlang.phash2(session, @buckets)
end
