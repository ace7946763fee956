# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Application do
  @moduledoc false

  use Application

  @impl Application
  @spec start(Application.start_type(), term()) :: {:ok, pid()} | {:error, term()}
  def start(_type, _args) do
    # The tables belong to this process, which lives as long as the application: daemons that are
    # started while the supervisor restarts a child still need them.
    MuonTrap.Predecessors.create_tables()
    MuonTrap.Daemon.Backoff.create_table()
    MuonTrap.Programs.create_table()
    MuonTrap.Telemetry.detect()
    MuonTrap.Supervisor.start_link([])
  end
end
