# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Predecessors do
  @moduledoc false

  # Keeps an old copy of a daemon's program and its successor apart, even when the old daemon was
  # killed without a chance to clean up.
  #
  # The guard of a daemon has an entry in a table, under the daemon's command and arguments, from
  # before the helper is started until all is gone. A new daemon waits for those whose owner is dead.
  # It looks at the owners themselves: that a guard was told of its owner's death, or anybody else,
  # proves nothing, since the supervisor may be told first.

  @table __MODULE__

  @typedoc "What a daemon runs."
  @type key :: {command :: binary(), args :: [binary()]}

  @opaque entry :: {hash :: non_neg_integer(), owner :: pid(), guard :: pid()}

  @doc "Makes the table, which lasts as long as the calling process."
  @spec create_table() :: :ok
  def create_table do
    @table = :ets.new(@table, [:named_table, :public, :duplicate_bag, write_concurrency: true])
    :ok
  end

  @doc "Enters the calling guard of a daemon."
  @spec enter(key(), owner :: pid()) :: {:ok, entry()} | {:error, :not_started}
  def enter(key, owner) do
    entry = {hash(key), owner, self()}
    true = :ets.insert(@table, entry)
    {:ok, entry}
  rescue
    # The table is not there.
    ArgumentError -> {:error, :not_started}
  end

  @doc "Takes an entry off, whether the table is there or not."
  @spec leave(entry()) :: :ok
  def leave(entry) do
    :ets.delete_object(@table, entry)
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
      else: @table |> :ets.lookup(hash) |> Enum.each(&await_guard_of_dead/1)
  rescue
    # No daemon has these, or there is no table.
    ArgumentError -> if :ets.whereis(@table) == :undefined, do: {:error, :not_started}, else: :ok
  end

  defp all_alive?([owner | owners]), do: Process.alive?(owner) and all_alive?(owners)
  defp all_alive?([]), do: true

  defp await_guard_of_dead({_hash, owner, guard} = entry) do
    if not Process.alive?(owner) do
      ref = :erlang.monitor(:process, guard)

      receive do
        # One that was killed has left its entry.
        {:DOWN, ^ref, :process, ^guard, _reason} -> leave(entry)
      end
    end
  end

  # With a thousand copies of one program, the hash is faster by far to compare and to copy. Two
  # programs that share one wait for each other's dead, too, which does no harm.
  defp hash(key), do: :erlang.phash2(key)
end
