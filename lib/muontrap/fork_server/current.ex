# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.Current do
  @moduledoc false

  # The running fork server, in persistent terms, which any process reads without a message.
  #
  # What is secret is in a term of its own, so that no state, message, log or crash report contains it.
  # It is not in a function that hides it: such a function is invalid after two code upgrades.

  @server {__MODULE__, :server}
  @secrets {__MODULE__, :secrets}

  @typedoc """
  What is needed to connect. `id` distinguishes one fork server from the next. `client_directory?`: its sessions find out
  the working directory of the BEAM by themselves.
  """
  @type t :: %{
          id: reference(),
          os_pid: pos_integer(),
          address: binary(),
          client_directory?: boolean()
        }

  @typedoc "Variables that are not what their characters look like."
  @type raw :: %{optional({charlist(), charlist()}) => {name :: binary(), value :: binary()}}

  @doc "The running fork server; `nil` when none is known to be running."
  @spec get() :: t() | nil
  def get, do: :persistent_term.get(@server, nil)

  @doc "The token of a fork server, and the variables of its environment that are not what their characters look like."
  @spec secrets(t()) :: {token :: binary(), raw()}
  def secrets(%{id: id}) do
    case :persistent_term.get(@secrets, nil) do
      {^id, token, raw} -> {token, raw}
      # Another fork server has replaced it.
      _other -> {"", %{}}
    end
  end

  @doc "The variables of the running fork server that are not what their characters look like."
  @spec raw() :: raw()
  def raw do
    case get() do
      nil -> %{}
      server -> elem(secrets(server), 1)
    end
  end

  @doc "Sets the token of the fork server `id`, which is being started."
  @spec put_token(reference(), binary()) :: :ok
  def put_token(id, token), do: :persistent_term.put(@secrets, {id, token, %{}})

  @doc "Sets the fork server that is running from now on."
  @spec put(t(), raw()) :: :ok
  def put(server, raw) do
    {token, _none} = secrets(server)
    :persistent_term.put(@secrets, {server.id, token, raw})
    :persistent_term.put(@server, server)
  end

  @doc "Sets that no fork server is running."
  @spec clear() :: :ok
  def clear do
    _was_there = :persistent_term.erase(@server)
    :ok
  end
end
