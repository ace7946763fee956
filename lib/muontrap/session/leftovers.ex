# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Leftovers do
  @moduledoc false

  # What is left of a session that was killed, and the advice for the error if some of it cannot be removed.

  alias MuonTrap.Cgroup
  alias MuonTrap.Session.{Guard, Request}

  @doc """
  Waits until a helper is gone, or is done with its program if it lives but has no port, kills what it has left
  behind, and removes its cgroup.
  """
  @spec clean_up(Guard.left()) :: String.t() | nil
  def clean_up(left) do
    killed = Request.kill_leftovers(left)

    with :ok <- clean_group(left.group), do: killed
  end

  @doc """
  The advice after the clean-up: that of a guard, or for what the fork server has left, a number of processes. It has cleaned
  the cgroup, too. If it could not, cleaning it again says why.
  """
  @spec advice(String.t() | nil | non_neg_integer(), Cgroup.t() | nil) :: String.t() | nil
  def advice(survivors, group) when is_integer(survivors) do
    with :ok <- clean_group(group), do: survived(survivors)
  end

  def advice(advice, _group), do: advice

  defp survived(0), do: nil
  defp survived(count), do: "it may still be running: #{count} of its processes are left"

  defp clean_group(group) do
    with {:error, error} <- Cgroup.clean(group),
         do: "its cgroup could not be removed: " <> Exception.message(error)
  end
end
