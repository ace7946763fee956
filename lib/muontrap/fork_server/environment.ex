# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.Environment do
  @moduledoc false

  # The environment of the BEAM at the time of a call. It rarely changes, so the fork server is
  # given it once, and sessions are told its number.
  #
  # The BEAM shows variables as characters, which may stand for two different strings of bytes:
  # MuonTrap.Native. The fork server, which has inherited them as bytes, tells which one it is,
  # unless the variable was changed since.

  alias MuonTrap.{ForkServer, Native}
  alias MuonTrap.Session.Start

  @known {__MODULE__, :known}
  # The tag and the number of ENVIRONMENT.
  @frame_header <<0::72>>

  @typedoc "Variables that are not what their characters look like."
  @type raw :: %{optional({charlist(), charlist()}) => {name :: binary(), value :: binary()}}

  @doc "The environment as it is now, as short as can be."
  @spec current(raw()) :: Start.environment()
  def current(raw) do
    pairs = :os.env()

    case :persistent_term.get(@known, nil) do
      {number, ^pairs} ->
        {:number, number}

      _other ->
        variables = encode(pairs, raw)
        if Start.fits?([@frame_header, variables]), do: publish(pairs, variables)
        {:variables, variables}
    end
  end

  @doc "All variables as they are now."
  @spec whole() :: Start.environment()
  def whole, do: {:variables, encode(:os.env(), ForkServer.raw_environment())}

  @doc "Those of the variables `NAME=value` that are not what their characters look like."
  @spec raw([binary()]) :: raw()
  def raw(variables) do
    for variable <- variables,
        [name, value] <- [:binary.split(variable, "=")],
        key = {Native.shown(name), Native.shown(value)},
        likely(key) != {name, value},
        into: %{},
        do: {key, {name, value}}
  end

  # Whoever comes at the same time publishes it, too, and the last one remains.
  defp publish(pairs, variables) do
    number = :erlang.unique_integer([:positive])
    ForkServer.put_environment(number, variables)
    :persistent_term.put(@known, {number, pairs})
  end

  defp encode(pairs, raw) do
    Start.variables(for pair <- pairs, do: Map.get_lazy(raw, pair, fn -> likely(pair) end))
  end

  defp likely({name, value}), do: {likely(name), likely(value)}
  defp likely(characters), do: characters |> Native.candidates() |> hd()
end
