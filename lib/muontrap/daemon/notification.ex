# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Notification do
  @moduledoc false

  # What a program tells by sd_notify(3).

  @type item ::
          :ready
          | :stopping
          | :alive
          | :trigger
          | {:status, String.t()}
          | {:main_pid, pos_integer()}

  @doc "The assignments of a datagram that a daemon understands, in their order."
  @spec parse(binary()) :: [item()]
  def parse(datagram) do
    datagram
    |> String.split("\n", trim: true)
    |> Enum.flat_map(&(&1 |> item() |> List.wrap()))
  end

  defp item("READY=1"), do: :ready
  defp item("STOPPING=1"), do: :stopping
  defp item("WATCHDOG=1"), do: :alive
  defp item("WATCHDOG=trigger"), do: :trigger
  defp item("STATUS=" <> text), do: {:status, text}

  defp item("MAINPID=" <> text) do
    case Integer.parse(text) do
      {pid, ""} when pid > 0 -> {:main_pid, pid}
      _other -> nil
    end
  end

  defp item(_other), do: nil
end
