# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Supervisor do
  @moduledoc false

  # Programs are not supervised here: their processes belong to their callers, and daemons to the
  # supervisors of the user.

  use Supervisor

  # In a release, the node ends when this supervisor gives up. Killing a child again and again must
  # not have that effect.
  @max_restarts 100
  @max_seconds 1

  @spec start_link(keyword()) :: Supervisor.on_start()
  def start_link(_options), do: Supervisor.start_link(__MODULE__, [], name: __MODULE__)

  @impl Supervisor
  def init([]) do
    children = [
      # Owns the operating-system process that forks a session for each program.
      MuonTrap.ForkServer.Server
    ]

    Supervisor.init(children,
      strategy: :one_for_one,
      max_restarts: @max_restarts,
      max_seconds: @max_seconds
    )
  end
end
