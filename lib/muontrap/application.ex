# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Application do
  @moduledoc false

  use Application

  # Starting takes a millisecond. It does not come to an end while the BEAM, or the application
  # that asks for it, is being stopped.
  @start_ms 5_000

  @impl Application
  @spec start(Application.start_type(), term()) :: {:ok, pid()} | {:error, term()}
  def start(_type, _args) do
    # This process lives as long as the application.
    MuonTrap.Predecessors.create_table()
    children = [MuonTrap.ForkServer]

    # In a release, the end of this supervisor is the end of the node: whoever kills a process of MuonTrap again and
    # again must not get that far.
    Supervisor.start_link(children,
      strategy: :one_for_one,
      max_restarts: 100,
      max_seconds: 1,
      name: MuonTrap.Supervisor
    )
  end

  @doc """
  Starts the application where nobody has: in a Mix task, a script, or with `runtime: false`. That it
  cannot be started shows when something of it is needed.
  """
  @spec ensure_started() :: :ok
  def ensure_started do
    if Process.whereis(MuonTrap.Supervisor) || stopping?(), do: :ok, else: start_now()
  end

  defp stopping?, do: match?({:stopping, _status}, :init.get_status())

  defp start_now do
    {pid, ref} = spawn_monitor(fn -> Application.ensure_all_started(:muontrap) end)

    receive do
      {:DOWN, ^ref, :process, ^pid, _reason} -> :ok
    after
      @start_ms ->
        Process.demonitor(ref, [:flush])
        :ok
    end
  end
end
