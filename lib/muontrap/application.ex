# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Application do
  @moduledoc false

  use Application

  @impl Application
  @spec start(Application.start_type(), term()) :: {:ok, pid()} | {:error, term()}
  def start(_type, _args) do
    # This process lives as long as the application.
    MuonTrap.Predecessors.create_table()
    Supervisor.start_link([], strategy: :one_for_one, name: MuonTrap.Supervisor)
  end
end
