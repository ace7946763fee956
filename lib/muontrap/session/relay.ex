# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Relay do
  @moduledoc false

  import Kernel, except: [send: 2]

  # A session over a port that belongs to a process of its own, for two kinds of owners:
  #
  #   * one with many messages in its mailbox: with a port of its own, it would search all of them for each frame
  #   * one that runs code of the user meanwhile, which might see the frames in the mailbox
  #
  # The owner asks the relay for each frame, and waits for an answer with a fresh reference. For that, the BEAM searches
  # only the messages that came after the reference was made.

  alias MuonTrap.{Error, Label, Session}
  alias MuonTrap.Session.Pipe

  @enforce_keys [:pid]
  defstruct [:pid]

  @type t :: %__MODULE__{pid: pid()}

  @typedoc "Starts a session over a port of the process that calls it."
  @type start :: (... -> {:ok, Session.t()} | {:error, Error.t()} | :timeout)

  @doc "Starts a session in a relay."
  @spec start(start()) :: {:ok, Session.t()} | {:error, Error.t()} | :timeout
  def start(start) do
    pid = :proc_lib.spawn(__MODULE__, :init, [self(), start])

    case call(pid, :session) do
      {:ok, session} -> {:ok, %{session | stream: %__MODULE__{pid: pid}}}
      {:down, _reason} -> {:error, MuonTrap.Helper.start_error(nil, :relay_down)}
      other -> other
    end
  end

  @doc "The next frame."
  @spec next(t(), timeout()) :: {Session.event() | :timeout, t()}
  def next(%{pid: pid} = stream, timeout) do
    case call(pid, {:next, timeout}) do
      {:down, _reason} -> {{:lost, nil}, stream}
      event -> {event, stream}
    end
  end

  @doc "Sends a frame."
  @spec send(t(), iodata()) :: :ok
  def send(%{pid: pid}, frame) do
    Kernel.send(pid, {:send, frame})
    :ok
  end

  @doc "Makes it possible to wait for the end once more: a relay can be asked any number of times."
  @spec reopen(t()) :: t()
  def reopen(stream), do: stream

  @doc "Closes the session after its last frame."
  @spec close(t()) :: :ok
  def close(%{pid: pid}) do
    call(pid, :close)
    :ok
  end

  @doc "Cleans up after a session that has not said that it is over."
  @spec clean_up(t(), Session.t()) :: {String.t() | nil, 0..255 | nil}
  def clean_up(%{pid: pid}, _session) do
    case call(pid, :clean_up) do
      {:down, _reason} -> {nil, nil}
      advice_and_status -> advice_and_status
    end
  end

  # In one function, so that the compiler can see that the reference was made just before the receive.
  defp call(pid, request) do
    ref = :erlang.monitor(:process, pid, alias: :reply_demonitor)
    Kernel.send(pid, {request, ref})

    receive do
      {^ref, answer} -> answer
      {:DOWN, ^ref, :process, ^pid, reason} -> {:down, reason}
    end
  end

  @doc false
  @spec init(pid(), start()) :: :ok
  def init(owner, start) do
    Label.set("MuonTrap: relay for a caller with a crowded mailbox")
    :proc_lib.spawn(__MODULE__, :end_with, [owner, self()])
    started = start.()

    receive do
      {:session, ref} -> Kernel.send(ref, {ref, started})
    end

    with {:ok, session} <- started, do: relay(session)
    :ok
  end

  # This takes another process, since the relay does not wait for such a message while it starts a session. When the
  # relay is killed, its guard stops the program.
  @doc false
  @spec end_with(pid(), pid()) :: term()
  def end_with(owner, relay) do
    Label.set("MuonTrap: ends a relay with its caller")
    owner_monitor = Process.monitor(owner)
    relay_monitor = Process.monitor(relay)

    receive do
      {:DOWN, ^owner_monitor, :process, ^owner, _reason} -> Process.exit(relay, :kill)
      {:DOWN, ^relay_monitor, :process, ^relay, _reason} -> :ok
    end
  end

  defp relay(session) do
    receive do
      {{:next, timeout}, ref} ->
        {event, stream} = Pipe.next(session.stream, timeout)
        reply(ref, event)
        relay(%{session | stream: stream})

      {:send, frame} ->
        :ok = Pipe.send(session.stream, frame)
        relay(session)

      {:close, ref} ->
        :ok = Pipe.close(session.stream)
        reply(ref, :ok)

      {:clean_up, ref} ->
        reply(ref, Pipe.clean_up(session.stream, session))
    end
  end

  defp reply(ref, answer), do: Kernel.send(ref, {ref, answer})
end
