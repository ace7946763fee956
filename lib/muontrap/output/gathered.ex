# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.Gathered do
  @moduledoc false

  # Chunks for a slow Collectable, which gets them together: when there are enough, when nothing more comes, or when the
  # first one has waited for long enough.
  #
  # The first 64 KiB are worth a wait, and count as handled. So the program writes on while the Collectable is busy. In
  # a large window more are added, if they have come by then. These are acknowledged when they are handled.

  alias MuonTrap.Deadline

  # How much to wait for, how long for more of it, and how long in all.
  @awaited_bytes 65_536
  @wait_ms 1
  @longest_wait_ms 5

  # How much to gather at most.
  @most_bytes 262_144

  @enforce_keys [:max]
  defstruct [:max, :deadline, chunks: [], bytes: 0]

  @typedoc "`chunks` are in reverse order."
  @type t :: %__MODULE__{
          max: pos_integer(),
          deadline: Deadline.t() | nil,
          chunks: [binary()],
          bytes: non_neg_integer()
        }

  @doc "Nothing yet, of output that comes through a window."
  @spec new(window :: pos_integer()) :: t()
  def new(window),
    do: %__MODULE__{max: window |> div(4) |> min(@most_bytes) |> max(@awaited_bytes)}

  @doc "How many bytes are waited for."
  @spec awaited_bytes() :: pos_integer()
  def awaited_bytes, do: @awaited_bytes

  @doc "Adds a chunk. Returns how many of its bytes count as handled."
  @spec add(t(), binary()) :: {handled :: non_neg_integer(), t()}
  def add(%{chunks: []} = gathered, chunk),
    do: push(%{gathered | deadline: Deadline.new(@longest_wait_ms)}, chunk)

  def add(gathered, chunk), do: push(gathered, chunk)

  defp push(gathered, chunk) do
    size = byte_size(chunk)
    handled = (@awaited_bytes - gathered.bytes) |> max(0) |> min(size)
    {handled, %{gathered | chunks: [chunk | gathered.chunks], bytes: gathered.bytes + size}}
  end

  @doc "Whether there is nothing."
  @spec empty?(t()) :: boolean()
  def empty?(gathered), do: gathered.chunks == []

  @doc "Whether the Collectable is to get what has been gathered."
  @spec enough?(t()) :: boolean()
  def enough?(gathered), do: gathered.bytes >= gathered.max or Deadline.over?(gathered.deadline)

  @doc "How long to wait for more, in milliseconds."
  @spec wait_ms(t()) :: non_neg_integer()
  def wait_ms(%{bytes: bytes}) when bytes < @awaited_bytes, do: @wait_ms
  def wait_ms(_gathered), do: 0

  @doc "Takes all. Returns also how many of these bytes did not count as handled."
  @spec take(t()) :: {iodata(), unhandled :: non_neg_integer(), t()}
  def take(gathered) do
    {joined(gathered.chunks), max(gathered.bytes - @awaited_bytes, 0),
     %{gathered | chunks: [], bytes: 0}}
  end

  defp joined([chunk]), do: chunk
  defp joined(chunks), do: Enum.reverse(chunks)
end
