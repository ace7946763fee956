# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Ready do
  @moduledoc false

  # The option :ready: when a program counts as ready.

  import MuonTrap.Options.Text, only: [text?: 1]

  @behaviour MuonTrap.Options.Type

  # unix(7)
  @longest_address 107

  @impl MuonTrap.Options.Type
  def expected(:ready) do
    "{:line, regex}, {:line, function of one argument}, {:tcp, port}, {:unix, path}, {:file, path} or :notify"
  end

  @impl MuonTrap.Options.Type
  def typespec(:ready, _stage) do
    quote do
      {:line, Regex.t() | (binary() -> term())}
      | {:tcp, 1..65_535}
      | {:unix, Path.t()}
      | {:file, Path.t()}
      | :notify
    end
  end

  @impl MuonTrap.Options.Type
  def parse(:notify, :ready), do: {:ok, :notify}
  def parse({:line, %Regex{}} = ready, :ready), do: {:ok, ready}
  def parse({:line, fun} = ready, :ready) when is_function(fun, 1), do: {:ok, ready}
  def parse({:tcp, port} = ready, :ready) when port in 1..65_535, do: {:ok, ready}

  def parse({:unix, path}, :ready) when byte_size(path) > @longest_address,
    do: {:error, "the path of a socket has at most #{@longest_address} bytes"}

  def parse({kind, path} = ready, :ready) when kind in [:unix, :file],
    do: if(text?(path) and path != "", do: {:ok, ready}, else: :error)

  def parse(_other, :ready), do: :error
end
