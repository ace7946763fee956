# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Ready do
  @moduledoc false

  # The option :ready: when a program counts as ready.

  import MuonTrap.Options.Text, only: [text?: 1]

  alias MuonTrap.Options

  @behaviour MuonTrap.Options.Type

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

  def parse({kind, path} = ready, :ready) when kind in [:unix, :file],
    do: if(text?(path) and path != "", do: {:ok, ready}, else: :error)

  def parse(_other, :ready), do: :error

  @doc "The rules that options break, with messages."
  @spec rules(Options.t()) :: [{boolean(), String.t()}]
  def rules(%{ready: {:unix, _path} = ready} = options) do
    address = options |> path() |> address()
    {size, longest} = {byte_size(address), longest_address()}

    message =
      "invalid option :ready with value #{inspect(ready)}: the path of a socket has at most #{longest} bytes on " <>
        "this system, and #{inspect(address)} has #{size}"

    [{size > longest, message}]
  end

  def rules(_options), do: []

  @doc "The path of a socket or file, relative to `:cd`, as an absolute one."
  @spec path(Options.t()) :: binary()
  def path(%{ready: {_kind, path}, cd: cd}) do
    case File.cwd() do
      {:ok, directory} ->
        Path.absname(path, if(cd, do: Path.absname(cd, directory), else: directory))

      # No program is started then.
      {:error, _deleted} ->
        path
    end
  end

  @doc "The shortest form of the path of a socket, for its address."
  @spec address(binary()) :: binary()
  def address(path), do: Enum.min_by([path, Path.relative_to_cwd(path)], &byte_size/1)

  # Less the null byte: unix(7), unix(4).
  defp longest_address, do: if(:os.type() == {:unix, :linux}, do: 107, else: 103)
end
