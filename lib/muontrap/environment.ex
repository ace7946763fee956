# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Environment do
  @moduledoc false

  # The variables that a program gets on top of the BEAM's own, as the port option `:env`.
  #
  # A port drops a variable with an empty value, and cannot name what is not valid in the BEAM's native
  # encoding. Such variables travel encoded, in variables that the helper decodes: as arguments, they
  # would show in `ps`.

  alias MuonTrap.Native

  @prefix ~c"MUONTRAP_ENV_"

  @type t :: [{name :: binary(), value :: binary() | nil}]

  @doc "Variables as the port option `:env`. The last of several values counts."
  @spec port_env(t()) :: [{charlist(), charlist() | false}]
  def port_env(variables), do: variables |> Map.new() |> Enum.map(&port_variable/1)

  defp port_variable({name, value} = variable) do
    with {:ok, name} <- Native.characters(name),
         {:ok, value} <- characters(value) do
      {name, value}
    else
      :error -> encoded(variable)
    end
  end

  defp characters(nil), do: {:ok, false}
  defp characters(""), do: :error
  defp characters(value), do: Native.characters(value)

  defp encoded({name, nil}), do: {@prefix ++ hexadecimal(name), ~c"-"}
  defp encoded({name, value}), do: {@prefix ++ hexadecimal(name), ~c"=" ++ hexadecimal(value)}

  defp hexadecimal(bytes), do: bytes |> Base.encode16() |> String.to_charlist()
end
