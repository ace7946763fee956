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

  alias MuonTrap.Native
  alias MuonTrap.ForkServer.{Control, Current}
  alias MuonTrap.Session.Start

  @published {__MODULE__, :published}

  @doc """
  The environment as it is now, as short as possible. Calls `publish` if it has changed, so that the fork server is
  given it.
  """
  @spec current(Current.raw(), publish :: (... -> :ok)) :: Start.environment()
  def current(raw, publish) do
    pairs = :os.env()

    case :persistent_term.get(@published, nil) do
      {number, ^pairs} ->
        {:number, number}

      _other ->
        # If two processes publish at the same time, the last one wins. A session that does not know the number asks for
        # the variables.
        :persistent_term.put(@published, {:erlang.unique_integer([:positive]), pairs})
        publish.()
        {:variables, encode(pairs, raw)}
    end
  end

  @doc "All variables as they are now."
  @spec whole() :: Start.environment()
  def whole, do: {:variables, encode(:os.env(), Current.raw())}

  @doc "The frame with the environment that was published last; `nil` without one that fits into a frame."
  @spec frame(Current.raw()) :: iodata() | nil
  def frame(raw) do
    with {number, pairs} <- :persistent_term.get(@published, nil) do
      frame = Control.environment(number, encode(pairs, raw))
      if Start.fits?(frame), do: frame
    end
  end

  @doc "Those of the variables `NAME=value` that are not what their characters look like."
  @spec raw([binary()]) :: Current.raw()
  def raw(variables) do
    for variable <- variables,
        [name, value] <- [:binary.split(variable, "=")],
        key = {Native.shown(name), Native.shown(value)},
        likely(key) != {name, value},
        into: %{},
        do: {key, {name, value}}
  end

  defp encode(pairs, raw) do
    Start.variables(for pair <- pairs, do: Map.get_lazy(raw, pair, fn -> likely(pair) end))
  end

  defp likely({name, value}), do: {likely(name), likely(value)}
  defp likely(characters), do: characters |> Native.candidates() |> hd()
end
