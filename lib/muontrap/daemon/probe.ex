# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Probe do
  @moduledoc false

  # A process that looks again and again whether a program accepts connections, or has made a file. It ends when that
  # is so.

  alias MuonTrap.{Label, Options}
  alias MuonTrap.Options.Ready

  @type condition :: {:tcp, 1..65_535} | {:unix, binary()} | {:file, binary()}

  # From one attempt to the next, which takes longer and longer.
  @shortest_ms 5
  @longest_ms 200

  # To connect to this host takes no time, unless the queue of the listener is full.
  @connect_ms 1_000

  @loopback [{127, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 1}]

  @doc "What to probe for; `nil` if there is another way to find out that the program is ready."
  @spec condition(Options.t()) :: condition() | nil
  def condition(%{ready: {kind, _path}} = options) when kind in [:unix, :file],
    do: {kind, Ready.path(options)}

  def condition(%{ready: {:tcp, _port} = condition}), do: condition
  def condition(_options), do: nil

  @doc "Starts the process, linked to the caller."
  @spec start_link(condition()) :: pid()
  def start_link(condition) do
    {:ok, pid} = Task.start_link(__MODULE__, :run, [condition, @shortest_ms])
    pid
  end

  @doc false
  @spec run(condition(), pos_integer()) :: :ok
  def run(condition, pause) do
    Label.set({"MuonTrap: waits until a program is ready", condition})

    if fulfilled?(condition) do
      :ok
    else
      Process.sleep(pause)
      # By its full name, so that it survives code upgrades.
      __MODULE__.run(condition, min(2 * pause, @longest_ms))
    end
  end

  defp fulfilled?({:file, path}), do: match?({:ok, _info}, :file.read_file_info(path, [:raw]))

  defp fulfilled?({:unix, path}), do: connects?({:local, Ready.address(path)}, 0, [:local])

  defp fulfilled?({:tcp, port}) do
    Enum.any?(@loopback, fn address ->
      family = if tuple_size(address) == 4, do: :inet, else: :inet6
      connects?(address, port, [family])
    end)
  end

  defp connects?(address, port, opts) do
    case :gen_tcp.connect(address, port, [active: false] ++ opts, @connect_ms) do
      {:ok, socket} ->
        other? = not own?(socket)
        :gen_tcp.close(socket)
        other?

      {:error, _reason} ->
        false
    end
  end

  # A connection to a port that nobody listens on may come from that port, and so reach itself.
  defp own?(socket) do
    case {:inet.sockname(socket), :inet.peername(socket)} do
      {{:ok, {_address, _port} = name}, {:ok, name}} -> true
      _other -> false
    end
  end
end
