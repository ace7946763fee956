# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Backoff do
  @moduledoc false

  # How long a daemon holds back its exit: the option :restart_delay.
  #
  # A daemon that is restarted is a new process, so the last delay is in a table. Its key is made of the supervisor, the
  # name, the command and the arguments. An entry that no run needs any more is deleted when the next one is written.

  alias MuonTrap.Options

  @table __MODULE__

  # How long after the end of a daemon its successor may be started and still count as one.
  @grace_ms 60_000

  @type key :: {supervisor :: pid() | atom() | nil, name :: term(), hash :: non_neg_integer()}

  @doc "Makes the table, which lasts as long as the calling process."
  @spec create_table() :: :ok
  def create_table do
    @table = :ets.new(@table, [:named_table, :public])
    :ok
  end

  @doc "The key of the daemon that calls."
  @spec key(Options.t()) :: key()
  def key(options) do
    parent = :"$ancestors" |> Process.get([]) |> List.first()
    {parent, options.name, :erlang.phash2({options.command, options.args})}
  end

  @doc """
  Milliseconds from the end of a run, which took `run_ms`, to the exit of the daemon. Takes note of them for the next run.
  """
  @spec delay(key(), Options.t(), run_ms :: non_neg_integer(), success? :: boolean()) ::
          non_neg_integer()
  def delay(_key, %{restart_delay: nil}, _run_ms, _success?), do: 0

  def delay(key, %{restart_delay: {_min, max, _factor}}, run_ms, true) when run_ms > max do
    forget(key)
    0
  end

  def delay(key, %{restart_delay: {min, max, factor}}, run_ms, _success?) do
    last = if run_ms <= max, do: last(key)
    delay = if last, do: next(last, max, factor), else: min
    note(key, delay, now() + delay + max + @grace_ms)
    delay
  end

  # At least one more, so that a factor close to 1 has an effect on small numbers.
  defp next(last, max, 1), do: min(last, max)
  defp next(last, max, factor), do: min(max(round(last * factor), last + 1), max)

  @doc "Whether an earlier run of the daemon that calls has ended a short time ago."
  @spec restarted?(key()) :: boolean()
  def restarted?(key), do: last(key) != nil

  defp last(key) do
    case :ets.lookup(@table, key) do
      [{_key, delay, expires}] -> if now() < expires, do: delay
      [] -> nil
    end
  rescue
    # There is no table.
    ArgumentError -> nil
  end

  defp note(key, delay, expires) do
    :ets.select_delete(@table, [{{:_, :_, :"$1"}, [{:<, :"$1", now()}], [true]}])
    :ets.insert(@table, {key, delay, expires})
  rescue
    ArgumentError -> true
  end

  @doc "Forgets the runs so far."
  @spec forget(key()) :: :ok
  def forget(key) do
    :ets.delete(@table, key)
    :ok
  rescue
    ArgumentError -> :ok
  end

  defp now, do: System.monotonic_time(:millisecond)
end
