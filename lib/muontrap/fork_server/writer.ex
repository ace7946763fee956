# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.Writer do
  @moduledoc false

  # Writes frames to the port of the fork server, in a process of its own: a fork server that is stopped
  # does not read, and writing to a full pipe suspends the writer.

  alias MuonTrap.{Label, Ports}

  @doc "Starts a writer, linked to the caller."
  @spec start_link(port()) :: pid()
  # Not by :proc_lib, whose crash reports contain the mailbox: a frame contains the environment.
  def start_link(port), do: spawn_link(__MODULE__, :init, [port])

  @doc "Writes a frame, some time. Nothing is written by `nil`, nor to a port that is closed."
  @spec write(pid() | nil, iodata()) :: :ok
  def write(nil, _frame), do: :ok

  def write(writer, frame) do
    send(writer, {:frame, frame})
    :ok
  end

  @doc false
  @spec init(port()) :: term()
  def init(port) do
    Label.set("MuonTrap: writes to the fork server")
    loop(port)
  end

  # It hibernates between frames, since a process that waits in a function of this module would be killed by
  # the second code upgrade.
  @doc false
  @spec loop(port()) :: term()
  def loop(port) do
    receive do
      {:frame, frame} ->
        if Ports.command(port, frame),
          do: :erlang.hibernate(__MODULE__, :loop, [port]),
          else: :closed
    end
  end
end
