# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Deadline do
  @moduledoc false

  # The end of a timeout, for what takes several steps.

  @typedoc "Milliseconds of monotonic time."
  @type t :: integer() | :infinity

  @doc "The deadline of a timeout that begins now."
  @spec new(timeout()) :: t()
  def new(:infinity), do: :infinity
  def new(timeout), do: now() + timeout

  @doc "Milliseconds until a deadline; 0 after it."
  @spec remaining(t()) :: timeout()
  def remaining(:infinity), do: :infinity
  def remaining(deadline), do: max(deadline - now(), 0)

  @doc "Whether a deadline has come."
  @spec over?(t()) :: boolean()
  def over?(deadline), do: remaining(deadline) == 0

  defp now, do: System.monotonic_time(:millisecond)
end
