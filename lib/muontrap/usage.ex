# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Usage do
  @moduledoc false

  # The CPU time and memory of running programs, which a session of its own reads.

  alias MuonTrap.Programs
  alias MuonTrap.Session.Request

  # Reading thousands of processes takes less.
  @timeout_ms 4_000

  @type t :: %{
          cpu_us: non_neg_integer() | nil,
          memory_bytes: non_neg_integer() | nil,
          processes: non_neg_integer() | nil
        }

  @doc "The running programs, the oldest first, with what they use."
  @spec programs() :: [MuonTrap.program()]
  def programs do
    programs = Enum.sort_by(Programs.all(), & &1.started_at)
    usage = programs |> Enum.map(& &1.os_pid) |> read()
    now = System.monotonic_time()

    for program <- programs do
      uptime = System.convert_time_unit(now - program.started_at, :native, :millisecond)

      program
      |> Map.drop([:id, :started_at, :bytes])
      |> Map.merge(Programs.bytes(program))
      |> Map.merge(usage.(program.os_pid))
      |> Map.put(:uptime_ms, max(uptime, 0))
    end
  end

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
