# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Startup do
  @moduledoc false

  # Starts the application on demand, for programs that have not started it: Mix tasks, scripts, and
  # projects that depend on it with `runtime: false`.

  alias MuonTrap.Label

  # Starting takes a millisecond. It never returns while the BEAM, or the application that depends
  # on this one, is being stopped.
  @timeout_ms 5_000

  @doc """
  Starts the application if it is not running. Reports no error: the functions that need the
  application do.
  """
  @spec ensure_started() :: :ok
  def ensure_started do
    if Process.whereis(MuonTrap.Supervisor) || stopping?(), do: :ok, else: start()
  end

  defp stopping?, do: match?({:stopping, _status}, :init.get_status())

  # In another process, so that it can be given up.
  defp start do
    {pid, monitor} = :proc_lib.spawn_opt(__MODULE__, :init, [], [:monitor])

    receive do
      {:DOWN, ^monitor, :process, ^pid, _reason} -> :ok
    after
      @timeout_ms ->
        Process.demonitor(monitor, [:flush])
        :ok
    end
  end

  @doc false
  @spec init() :: :ok
  def init do
    Label.set("MuonTrap: starts the application")
    _started_or_not = Application.ensure_all_started(:muontrap)
    :ok
  end
end
