# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Port do
  @moduledoc false

  # A session with the helper: opening it, the frames both ways, its end. docs/protocol.md describes
  # the bytes; this module and MuonTrap.Frame are the only ones here that know them.
  #
  # The process that opens a session owns the port without being linked to it. MuonTrap.Guard is
  # linked to it instead and sees to it that the program ends with the owner.

  alias MuonTrap.{Cgroups, CommandLine, Error, Frame, Guard, Helper, OsProcess, Predecessors}

  @ack 0x01
  @signal 0x02
  @stop 0x03
  @input 0x04
  @input_eof 0x05
  @discard 0x06

  # The helper has this long, after the delay before SIGKILL, to kill and reap everything. Beyond it
  # something is stuck in the kernel, and waiting would not help.
  @patience_ms 5_000

  # What `receive` takes.
  @longest_ms 0xFFFFFFFF

  # With this many messages in the mailbox, asking the guard for each message of the port is cheaper
  # than looking for it there.
  @crowded 500

  @enforce_keys [:port, :helper, :patience]
  defstruct [
    :port,
    :monitor,
    :guard,
    :relay,
    :helper,
    :patience,
    :helper_pid,
    :program_pid,
    :group,
    cgroups: %{},
    early: []
  ]

  @typedoc """
  An open session. `early` are messages of the port that came before the owner owned it: they go
  before those in the mailbox. `relay` is the guard when it relays the messages, in which case none
  come to the owner's mailbox.
  """
  @type t :: %__MODULE__{
          port: port(),
          monitor: reference() | nil,
          guard: pid() | nil,
          relay: pid() | nil,
          helper: binary(),
          patience: non_neg_integer(),
          helper_pid: pos_integer() | nil,
          program_pid: pos_integer() | nil,
          group: Cgroups.t() | nil,
          cgroups: Cgroups.directories(),
          early: [term()]
        }

  @typedoc "What a message of the port means. `:lost`: the helper or the port is gone."
  @type event :: {:frame, Frame.t()} | {:lost, exit_status :: non_neg_integer() | nil}

  @doc """
  Starts the helper and waits until it has started the program. Returns what FAILED says, decoded,
  or an error of step `:helper`, if it did not; `:timeout` when the program was not started by `deadline`
  (`System.monotonic_time(:millisecond)`), and is not going to be.
  """
  @spec start(MuonTrap.Options.t(), Predecessors.key() | nil, integer() | :infinity) ::
          {:ok, t()} | {:error, Error.t()} | :timeout
  def start(options, guard_key \\ nil, deadline \\ :infinity) do
    with {:ok, helper} <- Helper.find() do
      options = Cgroups.choose(options)

      request = %{
        helper: helper,
        port_options: port_options(options),
        env: options.env,
        patience: min(options.delay_to_sigkill + @patience_ms, @longest_ms),
        key: guard_key,
        deadline: deadline,
        group: Cgroups.new(options),
        relay?: guard_key == nil and crowded?()
      }

      case Guard.open(request) do
        {:ok, guard, port, helper_pid, early} ->
          request |> new(guard, port, helper_pid, early) |> await_started(deadline)

        {:error, reason} ->
          {:error, Helper.start_error(helper, reason)}
      end
    end
  end

  defp crowded? do
    {:message_queue_len, length} = Process.info(self(), :message_queue_len)
    length >= @crowded
  end

  defp new(request, guard, port, helper_pid, early) do
    %__MODULE__{
      port: port,
      monitor: if(not request.relay?, do: Port.monitor(port)),
      guard: guard,
      group: request.group,
      relay: if(request.relay?, do: guard),
      helper: request.helper,
      helper_pid: helper_pid,
      patience: request.patience,
      early: early
    }
  end

  # The guard has waited for the first message, and stopped the helper at the deadline.
  defp await_started(session, deadline) do
    {event, session} = next(session)

    case event do
      {:frame, {:failed, %{step: "stopped"}}} when deadline != :infinity ->
        if over?(deadline), do: end_unstarted(session), else: started(session, event)

      {:lost, status} when deadline != :infinity ->
        error = lost(session, status)
        if over?(deadline) and error.advice == nil, do: :timeout, else: {:error, error}

      event ->
        started(session, event)
    end
  end

  defp end_unstarted(session) do
    close(session)
    :timeout
  end

  defp over?(deadline), do: System.monotonic_time(:millisecond) >= deadline

  defp started(session, event) do
    case event do
      {:frame, {:started, pid, cgroups}} ->
        {:ok, %{session | program_pid: pid, cgroups: cgroups}}

      {:frame, {:failed, failed}} ->
        close(session)
        {:error, Error.from_failed(failed)}

      {:frame, _other} ->
        {:error, lost(session, nil)}

      {:lost, status} ->
        {:error, lost(session, status)}
    end
  end

  @doc "The next event of the session, or `:timeout` when there is none for `timeout` ms."
  @spec next(t(), timeout()) :: {event() | :timeout, t()}
  def next(session, timeout \\ :infinity)

  def next(%{early: [message | early]} = session, _timeout) do
    {:ok, event} = event(session, message)
    {event, %{session | early: early}}
  end

  def next(%{relay: guard} = session, timeout) when guard != nil do
    case Guard.next(guard, timeout) do
      {_port, {:data, data}} -> {{:frame, Frame.decode(data)}, session}
      {_port, {:exit_status, status}} -> {{:lost, status}, session}
      :closed -> {{:lost, nil}, session}
      :timeout -> {:timeout, session}
    end
  end

  def next(%{port: port, monitor: monitor} = session, timeout) do
    receive do
      {^port, {:data, data}} -> {{:frame, Frame.decode(data)}, session}
      {^port, {:exit_status, status}} -> {{:lost, status}, session}
      {:DOWN, ^monitor, :port, ^port, _reason} -> {{:lost, nil}, session}
    after
      timeout -> {:timeout, session}
    end
  end

  @doc "What a message means to this session; `:error` when it is not one of its messages."
  @spec event(t(), term()) :: {:ok, event()} | :error
  def event(%{port: port, monitor: monitor}, message) do
    case message do
      {^port, {:data, data}} -> {:ok, {:frame, Frame.decode(data)}}
      {^port, {:exit_status, status}} -> {:ok, {:lost, status}}
      {:DOWN, ^monitor, :port, ^port, _reason} -> {:ok, {:lost, nil}}
      _other -> :error
    end
  end

  @doc "Says that `count` bytes of output were handled."
  @spec ack(t(), non_neg_integer()) :: :ok
  def ack(session, count), do: command(session.port, <<@ack, count::32>>)

  @doc "Sends a signal to the program."
  @spec signal(t(), 1..64) :: :ok
  def signal(session, number), do: command(session.port, <<@signal, number>>)

  @doc "Writes to the program's stdin. INPUT_ACK says when it was written."
  @spec input(t(), binary()) :: :ok
  def input(session, data), do: command(session.port, [@input, data])

  @doc "Closes the program's stdin, after the input so far."
  @spec input_eof(t()) :: :ok
  def input_eof(session), do: command(session.port, <<@input_eof>>)

  @doc "Stops the program. Its output goes on until EXITED."
  @spec stop(t() | port()) :: :ok
  def stop(%__MODULE__{port: port}), do: stop(port)
  def stop(port), do: command(port, <<@stop>>)

  @doc "Has the output thrown away from now on: it needs no acknowledgement any more."
  @spec discard(t() | port()) :: :ok
  def discard(%__MODULE__{port: port}), do: discard(port)
  def discard(port), do: command(port, <<@discard>>)

  # The port may close at any time, when the helper dies. The message about that says it all.
  defp command(port, data) do
    Port.command(port, data)
    :ok
  rescue
    ArgumentError -> :ok
  end

  @doc """
  Stops the program, waits for its end while throwing its output away, and closes the session. The
  session may be closed already.
  """
  @spec abandon(t()) :: :ok
  def abandon(session) do
    session = monitor_again(session)
    discard(session)
    stop(session)
    await_exited(session)
  end

  # A closed port says so to a new monitor.
  defp monitor_again(%{monitor: nil} = session), do: session

  defp monitor_again(session) do
    Port.demonitor(session.monitor, [:flush])
    %{session | monitor: Port.monitor(session.port)}
  end

  defp await_exited(session) do
    case next(session) do
      {{:frame, {last, _report_or_reason}}, session} when last in [:exited, :failed] ->
        close(session)

      {{:frame, _other}, session} ->
        await_exited(session)

      {{:lost, status}, session} ->
        _error = lost(session, status)
        :ok
    end
  end

  @doc "Closes the session, which ends the helper and the guard, and leaves no message of it behind."
  @spec close(t()) :: :ok
  def close(session) do
    # First, so that it does not look whether the program is gone.
    dismiss_guard(session)
    close_quietly(session)
  end

  defp close_quietly(%{relay: guard} = session) when guard != nil, do: close_port(session.port)

  defp close_quietly(session) do
    Port.demonitor(session.monitor, [:flush])
    close_port(session.port)
    flush(session.port)
  end

  defp dismiss_guard(%{guard: nil}), do: :ok
  defp dismiss_guard(%{guard: guard}), do: Guard.dismiss(guard)

  @doc "Closes a port that may be closed already."
  @spec close_port(port()) :: :ok
  def close_port(port) do
    Port.close(port)
    :ok
  rescue
    ArgumentError -> :ok
  end

  defp flush(port) do
    receive do
      {^port, _message} -> flush(port)
    after
      0 -> :ok
    end
  end

  @doc """
  Closes the session of a helper that has given up on its program, and said why. Returns the error to
  report.
  """
  @spec given_up(t(), map()) :: Error.t()
  def given_up(session, failed) do
    close(session)
    Error.from_failed(failed)
  end

  @doc """
  Cleans up after a helper that is gone without a word, or whose port is: closes the session, waits
  until the program is gone, kills what it leaves behind, removes its cgroup, and returns the error to
  report.
  """
  @spec lost(t(), non_neg_integer() | nil) :: Error.t()
  def lost(session, exit_status) do
    close_quietly(session)

    advice =
      case Guard.cleaned(session.guard) do
        {:ok, advice} -> advice
        # It was killed.
        :error -> clean_up(session)
      end

    %{Helper.lost_error(session, exit_status) | advice: advice}
  end

  @doc """
  Waits until a helper is gone, or is done with its program if it lives but has no port, kills what it has left
  behind, and removes its cgroup. Returns what to say when that does not work. Takes a session, or what the
  guard knows of it.
  """
  @spec clean_up(t() | map()) :: String.t() | nil
  def clean_up(session) do
    helper_gone? = OsProcess.await_gone([session.helper_pid], session.patience)
    cleaned = Cgroups.clean(session.group, session.helper)
    gone? = helper_gone? and kill_left(session)

    case cleaned do
      :ok -> if not gone?, do: "it may still be running"
      {:error, error} -> "its cgroup could not be removed: " <> Exception.message(error)
    end
  end

  defp kill_left(%{helper_pid: helper, program_pid: program, patience: patience}),
    do: OsProcess.kill_left(helper, program, patience)

  @doc "The pid of the helper behind a port, or `nil`."
  @spec os_pid(port()) :: pos_integer() | nil
  def os_pid(port) do
    case Port.info(port, :os_pid) do
      {:os_pid, pid} when is_integer(pid) -> pid
      _closed -> nil
    end
  end

  defp port_options(options) do
    use_stdio = if options.use_stdio, do: :use_stdio, else: :nouse_stdio

    [
      {:packet, 4},
      :binary,
      :exit_status,
      :hide,
      use_stdio,
      {:args, CommandLine.helper_args(options)}
    ] ++ parallelism(options.parallelism)
  end

  defp parallelism(nil), do: []
  defp parallelism(value), do: [parallelism: value]
end
