# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Options do
  @moduledoc "Checks of options for tests."

  import ExUnit.Assertions

  alias MuonTrap.Options

  def valid(context \\ :cmd, opts), do: Options.validate(context, "echo", [], opts)

  def refused(context \\ :cmd, key, value) do
    error = assert_raise ArgumentError, fn -> valid(context, [{key, value}]) end
    expected = "invalid option #{inspect(key)} with value #{inspect(value)}"
    assert String.starts_with?(error.message, expected), error.message
    error.message
  end

  def refuses(context \\ :cmd, key, values) do
    Enum.each(values, &refused(context, key, &1))
  end

  def accepts(context \\ :cmd, key, pairs) do
    for {value, expected} <- pairs do
      assert Map.fetch!(valid(context, [{key, value}]), key) == expected
    end
  end
end
