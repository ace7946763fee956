# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Row do
  @moduledoc false

  # A row of the table of options:
  #
  #   * `type` checks the value, see MuonTrap.Options.Type
  #   * `contexts` are the functions that accept the option, see MuonTrap.Options.Table
  #   * `:default` is the parsed value of an option that is not given; nil leaves it to the helper.
  #     `:defaults` has the functions for which it is another
  #   * `:field` is the number of the field of START, and how MuonTrap.Options.Encoder encodes it
  #   * `:doc` is the documentation, Markdown without blank lines; the default is added to it
  #   * `:instead` says what to use in a function that does not have the option
  #   * `secret: true` keeps the value out of messages; with `:data`, they say of which kind it is

  alias MuonTrap.Options.{Encoder, Type}

  @type t :: %{
          name: atom(),
          type: Type.t(),
          contexts: [atom(), ...],
          default: term(),
          defaults: [{atom(), term()}],
          field: {pos_integer(), Encoder.t()} | nil,
          doc: String.t(),
          instead: [{atom(), String.t()}],
          secret: boolean() | :data
        }

  @doc "A row. `more` has the keys that the others do not have."
  @spec new(atom(), Type.t(), [atom(), ...], keyword()) :: t()
  def new(name, type, contexts, more) do
    row = %{default: nil, defaults: [], field: nil, instead: [], secret: false}
    Map.merge(row, Map.new([name: name, type: type, contexts: contexts] ++ more))
  end
end
