# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Values do
  @moduledoc false

  # Types of single options that are not worth a module each.

  alias MuonTrap.Options.Nearest

  @behaviour MuonTrap.Options.Type

  @log_levels [:emergency, :alert, :critical, :error, :warning, :notice, :info, :debug]

  @impl MuonTrap.Options.Type
  def expected(:log_level), do: "a level of Logger: " <> Nearest.list(@log_levels, "or")
  def expected(:process_name), do: "an atom, {:global, term} or {:via, module, term}"

  @impl MuonTrap.Options.Type
  def typespec(:log_level, _stage), do: quote(do: Logger.level())
  def typespec(:process_name, :given), do: quote(do: GenServer.name() | nil)
  def typespec(:process_name, :parsed), do: quote(do: GenServer.name())

  @impl MuonTrap.Options.Type
  def parse(:warn, :log_level), do: {:ok, :warning}
  def parse(level, :log_level) when level in @log_levels, do: {:ok, level}

  # Also nil, which stands for no name, as it does for GenServer.start_link/3.
  def parse(name, :process_name) when is_atom(name), do: {:ok, name}
  def parse({:global, _term} = name, :process_name), do: {:ok, name}
  def parse({:via, module, _term} = name, :process_name) when is_atom(module), do: {:ok, name}

  def parse(_other, _kind), do: :error
end
