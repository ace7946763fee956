# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Ports do
  @moduledoc false

  # A port closes at any time, when the program behind it dies. Its owner gets a message about that, so that nobody
  # else needs an error.

  @doc "Writes to a port, and returns whether it was open."
  @spec command(port(), iodata()) :: boolean()
  def command(port, data) do
    Port.command(port, data)
  rescue
    ArgumentError -> false
  end

  @doc "Closes a port, if it is open."
  @spec close(port()) :: :ok
  def close(port) do
    Port.close(port)
    :ok
  rescue
    ArgumentError -> :ok
  end
end
