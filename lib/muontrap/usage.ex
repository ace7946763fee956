# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Usage do
  @moduledoc false

  # The CPU time and memory of running programs, which a session of its own reads.

  alias MuonTrap.Session.Request

  # Reading thousands of processes takes less.
  @timeout_ms 4_000

  @type t :: %{
          cpu_us: non_neg_integer() | nil,
          memory_bytes: non_neg_integer() | nil,
          processes: non_neg_integer() | nil
        }

  @doc """
  Returns a function from the pid of a session to what its program and the descendants of that use. The values are `nil`
  if they cannot be read, or the session is gone.
  """
  @spec read([pos_integer()]) :: (pos_integer() -> t())
  def read([]), do: fn _session -> usage(%{}, 0) end

  def read(sessions) do
    case Request.run(:usage, Enum.map(sessions, &{:helper, &1}), @timeout_ms) do
      {:ok, values} -> &usage(values, &1)
      {:error, _error} -> fn session -> usage(%{}, session) end
    end
  end

  defp usage(values, session) do
    for name <- [:cpu_us, :memory_bytes, :processes], into: %{} do
      value = values["#{session}.#{name}"]
      {name, value && String.to_integer(value)}
    end
  end
end
