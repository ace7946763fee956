# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Encoder do
  @moduledoc false

  # The values of options as fields of START, which docs/protocol.md describes. MuonTrap.Session.Start
  # adds the fields that do not depend on one option alone: the command, the environment, the
  # streams and the cgroup.

  alias MuonTrap.Options
  alias MuonTrap.Options.Table

  @typedoc "How a value is encoded. `:list`: separated by commas. `:named`: the same, each after its name. `:flag`: when it is true. `:pty`: a terminal."
  @type t :: :flag | :list | :named | :pty | :text | :u32

  @fields for row <- Table.rows(), row.field != nil, do: {row.name, row.field}

  @doc "The numbers and values of the fields for the options that have a value."
  @spec fields(Options.t()) :: [{pos_integer(), iodata()}]
  def fields(options) do
    for {name, {number, encoder}} <- @fields,
        value = Map.fetch!(options, name),
        do: {number, encode(encoder, value)}
  end

  defp encode(:flag, true), do: <<1::32>>
  defp encode(:list, values), do: Enum.intersperse(values, ",")
  defp encode(:named, values), do: Enum.map_join(values, ",", fn {key, it} -> "#{key} #{it}" end)
  defp encode(:pty, pty), do: <<pty.rows::16, pty.cols::16, if(pty.echo, do: 1, else: 0)>>
  defp encode(:text, value), do: to_string(value)
  defp encode(:u32, value), do: <<value::32>>
end
