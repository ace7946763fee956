# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Input do
  @moduledoc false

  # The option :input, except for iodata, which is a type of its own.

  import MuonTrap.Options.Text, only: [text?: 1]

  @behaviour MuonTrap.Options.Type

  @impl MuonTrap.Options.Type
  def expected(:source), do: "an Enumerable of iodata, {:file, path}, :null or :open"

  @impl MuonTrap.Options.Type
  def typespec(:source, :given),
    do: quote(do: Enumerable.t() | {:file, Path.t()} | :null | :open)

  def typespec(:source, :parsed),
    do: quote(do: {:enumerable, Enumerable.t()} | {:file, binary()} | :null | :open)

  @impl MuonTrap.Options.Type
  def parse(source, :source) when source in [:null, :open], do: {:ok, source}

  def parse({:file, path}, :source),
    do: if(text?(path) and path != "", do: {:ok, {:file, path}}, else: :error)

  # Every list of iodata is iodata itself, and a map has pairs.
  def parse(value, :source) when is_list(value), do: :error
  def parse(value, :source) when is_map(value) and not is_struct(value), do: :error
  def parse(value, :source) when is_function(value) and not is_function(value, 2), do: :error

  def parse(value, :source),
    do: if(Enumerable.impl_for(value), do: {:ok, {:enumerable, value}}, else: :error)
end
