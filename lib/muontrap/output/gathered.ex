# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.Gathered do
  @moduledoc false

  # Chunks for a slow Collectable, which gets them together: when there are enough, when nothing more comes, or when the
  # first one has waited for long enough. They are acknowledged when the Collectable has handled them.
  #
  # Half a window is enough, so that the other half arrives while the Collectable is busy.

  alias MuonTrap.Deadline

  # How long to wait for more, and how long in all.
  @wait_ms 1
  @longest_wait_ms 5

  # How much to gather at most.
  @most_bytes 262_144

  @default_window 262_144

  @enforce_keys [:max]
  defstruct [:max, :deadline, chunks: [], bytes: 0]

  @typedoc "`chunks` are in reverse order."
  @type t :: %__MODULE__{
          max: non_neg_integer(),
          deadline: Deadline.t() | nil,
          chunks: [binary()],
          bytes: non_neg_integer()
        }

  @doc "Nothing yet, of output that comes through a window."
  @spec new(window :: pos_integer()) :: t()
  def new(window), do: %__MODULE__{max: window |> div(2) |> min(@most_bytes)}

  @doc "The window for a slow Collectable, unless another one is asked for."
  @spec default_window() :: pos_integer()
  def default_window, do: @default_window

  @doc "Adds a chunk."
  @spec add(t(), binary()) :: t()
  def add(%{chunks: []} = gathered, chunk),
    do: push(%{gathered | deadline: Deadline.new(@longest_wait_ms)}, chunk)

  def add(gathered, chunk), do: push(gathered, chunk)

  defp push(gathered, chunk),
    do: %{
      gathered
      | chunks: [chunk | gathered.chunks],
        bytes: gathered.bytes + byte_size(chunk)
    }

  @doc "Whether there is nothing."
  @spec empty?(t()) :: boolean()
  def empty?(gathered), do: gathered.chunks == []

  @doc "Whether the Collectable is to get what has been gathered."
  @spec enough?(t()) :: boolean()
  def enough?(gathered), do: gathered.bytes >= gathered.max or Deadline.over?(gathered.deadline)

  @doc "How long to wait for more, in milliseconds."
  @spec wait_ms() :: non_neg_integer()
  def wait_ms, do: @wait_ms

  @doc "Takes all. Returns also how many bytes these are."
  @spec take(t()) :: {iodata(), non_neg_integer(), t()}
  def take(gathered),
    do: {joined(gathered.chunks), gathered.bytes, %{gathered | chunks: [], bytes: 0}}

  defp joined([chunk]), do: chunk
  defp joined(chunks), do: Enum.reverse(chunks)
end
