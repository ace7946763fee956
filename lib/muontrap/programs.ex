# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Programs do
  @moduledoc false

  # The programs that run on this node, in a table. Their owners enter them and delete them.
  #
  # An owner that is killed leaves its entry. Entries of dead owners are ignored, and deleted now and then: a process that
  # monitors every owner would cost each program a message.

  alias MuonTrap.Options

  @table __MODULE__

  # Below this many entries, those of dead owners are not looked for.
  @least_to_clean 256

  @typedoc """
  A program. `started_at` is in native units of monotonic time. `bytes` counts what was read from and written to it;
  there is nothing to count before it has started.
  """
  @type program :: %{
          id: integer(),
          kind: :cmd | :run | :stream | :process | :daemon,
          command: binary(),
          args: [binary()],
          owner: pid(),
          os_pid: pos_integer() | nil,
          program_os_pid: pos_integer() | nil,
          cgroup_path: String.t() | nil,
          started_at: integer(),
          bytes: :counters.counters_ref() | nil
        }

  @stdout 1
  @stderr 2
  @input 3

  @doc "Makes the table, which lasts as long as the calling process."
  @spec create_table() :: :ok
  def create_table do
    @table = :ets.new(@table, [:named_table, :public, write_concurrency: true])
    true = :ets.insert(@table, {:clean_at, @least_to_clean})
    :ok
  end

  @doc "An entry for a program that the calling process is about to start. It is not in the table yet."
  @spec new(Options.t(), started_at :: integer()) :: program()
  def new(options, started_at) do
    %{
      id: :erlang.unique_integer(),
      kind: kind(options.context),
      command: options.command,
      args: options.args,
      owner: self(),
      os_pid: nil,
      program_os_pid: nil,
      cgroup_path: options.cgroup_path,
      started_at: started_at,
      bytes: nil
    }
  end

  defp kind(:stream!), do: :stream
  defp kind(context), do: context

  @doc "Enters a program that was started."
  @spec enter(program(), %{
          os_pid: pos_integer(),
          program_os_pid: pos_integer(),
          cgroup_path: String.t() | nil
        }) :: program()
  def enter(program, started) do
    program = program |> Map.merge(started) |> Map.put(:bytes, :counters.new(3, []))
    insert(program)
    program
  end

  defp insert(program) do
    true = :ets.insert(@table, {program.id, program})

    if :ets.info(@table, :size) > :ets.lookup_element(@table, :clean_at, 2), do: clean()
  rescue
    # The application is not running, so there is no table.
    ArgumentError -> :ok
  end

  # The limit is twice the number of entries, so that on average each entry is examined no more than twice.
  defp clean do
    _running = all()
    :ets.insert(@table, {:clean_at, max(2 * :ets.info(@table, :size), @least_to_clean)})
  end

  @doc "Deletes the entry of a program that has ended."
  @spec leave(program()) :: :ok
  def leave(program) do
    true = :ets.delete(@table, program.id)
    :ok
  rescue
    ArgumentError -> :ok
  end

  @doc "Every program whose owner is alive. Deletes the entries of the others."
  @spec all() :: [program()]
  def all do
    {running, others} =
      for({id, program} when is_integer(id) <- :ets.tab2list(@table), do: program)
      |> Enum.split_with(&Process.alive?(&1.owner))

    Enum.each(others, &leave/1)
    running
  rescue
    ArgumentError -> []
  end

  @doc "Counts the bytes of a frame."
  @spec count(program(), term()) :: :ok
  def count(program, {:frame, {:stdout, data}}),
    do: :counters.add(program.bytes, @stdout, byte_size(data))

  def count(program, {:frame, {:stderr, data}}),
    do: :counters.add(program.bytes, @stderr, byte_size(data))

  def count(program, {:frame, {:input_ack, written, _dropped}}),
    do: :counters.add(program.bytes, @input, written)

  def count(_program, _event), do: :ok

  @doc "How many bytes were read from a program, and written to it."
  @spec bytes(program()) :: %{
          stdout_bytes: non_neg_integer(),
          stderr_bytes: non_neg_integer(),
          input_bytes: non_neg_integer()
        }
  def bytes(%{bytes: nil}), do: %{stdout_bytes: 0, stderr_bytes: 0, input_bytes: 0}

  def bytes(%{bytes: counters}) do
    %{
      stdout_bytes: :counters.get(counters, @stdout),
      stderr_bytes: :counters.get(counters, @stderr),
      input_bytes: :counters.get(counters, @input)
    }
  end

  @doc "How many bytes were written to a program that has started."
  @spec input_bytes(program()) :: non_neg_integer()
  def input_bytes(%{bytes: counters}), do: :counters.get(counters, @input)
end
