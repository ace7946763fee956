# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Pipe do
  @moduledoc false

  import Kernel, except: [send: 2]

  # The stream to a helper that was executed for one program: a port. The process that opened it
  # owns the port without being linked to it, since a port may end with an error. Session.Guard is
  # linked to it instead, and stops the program when the owner dies.

  alias MuonTrap.{Deadline, Error, Helper, Ports, Session}
  alias MuonTrap.Session.{Frame, Guard, Start, Transport}

  @enforce_keys [:guard, :ref, :port, :helper, :os_pid, :clean_up]
  defstruct [:guard, :ref, :port, :helper, :os_pid, :clean_up, :monitor, early: []]

  @typedoc """
  `early` are messages of the port that came before the caller was its owner. They precede those in the mailbox.
  `clean_up` is called when both the helper and the guard were killed.
  """
  @type t :: %__MODULE__{
          guard: pid(),
          ref: reference() | nil,
          port: port(),
          helper: binary(),
          os_pid: pos_integer() | nil,
          clean_up: Guard.clean_up(),
          monitor: reference() | nil,
          early: [term()]
        }

  @doc "Executes a helper and sends it HELLO and what `frame` makes of the environment."
  @spec open(Transport.purpose(), Transport.first_frame(), Guard.clean_up()) ::
          {:ok, t()} | {:error, Error.t()}
  def open(purpose, frame, clean_up) do
    with {:ok, helper} <- Helper.find(),
         {:ok, start} <- frame.(:inherited, false) do
      request = %{
        helper: helper,
        port_options: port_options(purpose),
        frames: [Start.hello(), start],
        patience: purpose.patience,
        key: purpose.key,
        group: purpose.group,
        clean_up: clean_up
      }

      case Guard.open(request) do
        {:ok, guard, ref, port, os_pid} ->
          {:ok,
           %__MODULE__{
             guard: guard,
             ref: ref,
             port: port,
             helper: helper,
             os_pid: os_pid,
             clean_up: clean_up
           }}

        {:error, reason} ->
          {:error, Helper.start_error(helper, reason)}
      end
    end
  end

  # The environment of the BEAM is inherited.
  defp port_options(purpose) do
    {args, stdio} =
      if purpose.use_stdio, do: {[], :use_stdio}, else: {["--fds=3,4"], :nouse_stdio}

    parallelism = if purpose.parallelism == nil, do: [], else: [parallelism: purpose.parallelism]

    [{:packet, 4}, :binary, :exit_status, :hide, stdio, {:args, ["--framed" | args]}] ++
      parallelism
  end

  @doc "The answer to the first frame, after which the port is the caller's."
  @spec first(t(), Deadline.t()) :: {Session.event() | :timeout, t()}
  def first(%{ref: ref, guard: guard, port: port} = stream, deadline) do
    receive do
      {^ref, early} ->
        Process.demonitor(ref, [:flush])
        unlink(port)
        next(%{stream | ref: nil, monitor: Port.monitor(port), early: early}, :infinity)

      {:DOWN, ^ref, :process, ^guard, _reason} ->
        {{:lost, nil}, %{stream | ref: nil}}
    after
      Deadline.remaining(deadline) -> {:timeout, stream}
    end
  end

  # Port.connect/2 also links the port to its new owner.
  defp unlink(port) do
    Process.unlink(port)

    if Process.info(self(), :trap_exit) == {:trap_exit, true} do
      receive do
        {:EXIT, ^port, _reason} -> :ok
      after
        0 -> :ok
      end
    end
  end

  @doc "Whether another fork server has taken over: there is none here."
  @spec replaced?(t(), Deadline.t()) :: false
  def replaced?(_stream, _deadline), do: false

  @doc "Stores the pids of STARTED: not needed here."
  @spec started(t(), map()) :: t()
  def started(stream, _started), do: stream

  @doc "The next frame."
  @spec next(t(), timeout()) :: {Session.event() | :timeout, t()}
  def next(%{early: [message | early]} = stream, _timeout) do
    {:ok, event} = event(stream, message)
    {event, %{stream | early: early}}
  end

  def next(%{port: port, monitor: monitor} = stream, timeout) do
    receive do
      {^port, {:data, data}} -> {{:frame, Frame.decode(data)}, stream}
      {^port, {:exit_status, status}} -> {{:lost, status}, stream}
      {:DOWN, ^monitor, :port, ^port, _reason} -> {{:lost, nil}, stream}
    after
      timeout -> {:timeout, stream}
    end
  end

  @doc "Frames always come as messages, but for the early ones."
  @spec activate(t()) :: t()
  def activate(stream), do: stream

  @doc "Whether `next/2` has to be called for what came before any message."
  @spec early?(t()) :: boolean()
  def early?(stream), do: stream.early != []

  @doc "What a message means."
  @spec event(t(), term()) :: {:ok, Session.event()} | :error
  def event(%{port: port, monitor: monitor}, message) do
    case message do
      {^port, {:data, data}} -> {:ok, {:frame, Frame.decode(data)}}
      {^port, {:exit_status, status}} -> {:ok, {:lost, status}}
      {:DOWN, ^monitor, :port, ^port, _reason} -> {:ok, {:lost, nil}}
      _other -> :error
    end
  end

  @doc "Sends a frame."
  @spec send(t(), iodata()) :: :ok
  def send(%{port: port}, frame) do
    _open? = Ports.command(port, frame)
    :ok
  end

  @doc "Makes it possible to wait for the end once more, after a message about it was taken."
  @spec reopen(t()) :: t()
  def reopen(%{monitor: nil} = stream), do: stream

  # A closed port says so to a new monitor.
  def reopen(stream) do
    Port.demonitor(stream.monitor, [:flush])
    %{stream | monitor: Port.monitor(stream.port)}
  end

  @doc "Closes the stream after the last frame, which ends helper and guard."
  @spec close(t()) :: :ok
  def close(stream) do
    # The guard is told first. Otherwise it would take the closed port for the death of the helper.
    Guard.dismiss(stream.guard)
    close_quietly(stream)
  end

  defp close_quietly(stream) do
    if stream.monitor, do: Port.demonitor(stream.monitor, [:flush])
    Ports.close(stream.port)
    flush(stream.port)
  end

  defp flush(port) do
    receive do
      {^port, _message} -> flush(port)
    after
      0 -> :ok
    end
  end

  @doc """
  Cleans up after a helper that ended without EXITED or FAILED, or whose port is closed: waits until the program is
  gone, kills what it has left behind, and removes its cgroup. Returns the advice for the error.
  """
  @spec clean_up(t(), Session.t()) :: {String.t() | nil, nil}
  def clean_up(%{ref: ref, port: port} = stream, _session) when ref != nil do
    # The guard still has the port, or takes it back if it has just handed it over.
    Process.demonitor(ref, [:flush])
    Guard.abandon(stream.guard)

    receive do
      {^ref, _early} -> :ok
    after
      0 -> :ok
    end

    unlink(port)
    flush(port)
    {nil, nil}
  end

  def clean_up(stream, session) do
    close_quietly(stream)

    case Guard.cleaned(stream.guard) do
      {:ok, advice} -> {advice, nil}
      # The guard was killed, too.
      :error -> {stream.clean_up.(left(stream, session)), nil}
    end
  end

  defp left(stream, session) do
    %{
      helper_pid: stream.os_pid,
      program_pid: session.program_pid,
      group: session.group,
      patience: session.patience
    }
  end
end
