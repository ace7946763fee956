# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session do
  @moduledoc false

  # A session of muontrap, which runs one program: opening it, the frames both ways, its end.
  # docs/protocol.md describes the bytes.
  #
  # The frames go over a stream, which is one of three structs with the same functions:
  #
  #   * Session.Socket: a connection to the fork server. The usual way.
  #   * Session.Pipe: the port of a helper that runs this program alone, for `config :muontrap, fork_server: false`.
  #   * Session.Relay: the latter in a process of its own, for an owner with a crowded mailbox, or in which
  #     code of the user runs meanwhile.

  alias MuonTrap.{
    Cgroup,
    Deadline,
    Error,
    ForkServer,
    Helper,
    Native,
    Predecessors,
    Programs,
    Telemetry
  }

  alias MuonTrap.Options.Stop
  alias MuonTrap.Output.Collector
  alias MuonTrap.Session.{Frame, Leftovers, Pipe, Relay, Socket, Start, Transport}

  # A session has this long, after SIGKILL, to kill and reap everything. Beyond
  # it something is stuck in the kernel, and waiting would not help.
  @patience_ms 5_000

  # The longest timeout of `receive`, and of WATCH.
  @longest_ms 0xFFFFFFFF

  # How often to ask for a session when each time the fork server dies at that moment.
  @attempts 5

  # With this many messages in the mailbox, a receive that searches all of them for each frame costs more
  # than the streams that avoid it.
  @crowded 500

  # Up to this many bytes, all of a window comes as one frame.
  @small_window 16 * 1024

  # STARTED, a frame of each output, and EXITED.
  @few_frames 4

  @enforce_keys [:stream, :patience]
  defstruct [:stream, :patience, :os_pid, :program_pid, :group, :program]

  @typedoc """
  An open session. `os_pid` is that of its process. `program` is the entry of its program in the table of all programs,
  once it has started.
  """
  @type t :: %__MODULE__{
          stream: Socket.t() | Pipe.t() | Relay.t(),
          patience: non_neg_integer(),
          os_pid: pos_integer() | nil,
          program_pid: pos_integer() | nil,
          group: Cgroup.t() | nil,
          program: Programs.program() | nil
        }

  @typedoc "`:lost`: the session or its stream is gone."
  @type event :: {:frame, Frame.t()} | {:lost, exit_status :: non_neg_integer() | nil}

  @doc """
  Opens a session and waits until it has started the program, until `deadline` at most. Returns what FAILED says,
  decoded, or an error of step `:helper`, if it did not. After `:timeout`, nothing runs.
  """
  @spec start(MuonTrap.Options.t(), Predecessors.key() | nil, Deadline.t()) ::
          {:ok, t()} | {:error, Error.t()} | :timeout
  def start(options, key \\ nil, deadline \\ :infinity) do
    program = Programs.new(options, System.monotonic_time())

    case start_unlisted(options, key, deadline) do
      {:ok, session} ->
        program = Programs.enter(program, started(session))
        Telemetry.started(program)
        {:ok, %{session | program: program}}

      {:error, error} ->
        Telemetry.failed(program, error)
        {:error, error}

      :timeout ->
        Telemetry.failed(program, :timeout)
        :timeout
    end
  end

  defp started(session) do
    %{
      os_pid: session.os_pid,
      program_os_pid: session.program_pid,
      cgroup_path: session.group && session.group.path
    }
  end

  defp start_unlisted(options, key, deadline) do
    options = Cgroup.choose(options)

    fork_server? = ForkServer.used?()

    if not fork_server? and (runs_code?(options) or avoids_mailbox?(options, key)),
      do: Relay.start(fn -> start_here(options, nil, deadline, false, @attempts) end),
      else: start_here(options, key, deadline, fork_server?, @attempts)
  end

  # Whether code of the user runs in the calling process meanwhile. It may look at the mailbox, as the consumer of a
  # stream may between two elements, and a handler of telemetry at the start.
  defp runs_code?(%{context: context}) when context in [:stream, :stream!], do: true
  defp runs_code?(%{context: context}) when context in [:daemon, :process], do: false
  defp runs_code?(%{input: {:enumerable, _enumerable}}), do: true

  defp runs_code?(%{into: into}),
    do: Telemetry.available?() or not (is_binary(into) or is_list(into))

  # The owners of daemons and handles get events as messages.
  defp avoids_mailbox?(options, key),
    do: key == nil and options.context != :process and crowded?()

  defp crowded? do
    {:message_queue_len, length} = Process.info(self(), :message_queue_len)
    length >= @crowded
  end

  # Starts a session whose stream belongs to the calling process.
  defp start_here(options, key, deadline, fork_server?, attempts) do
    crowded? = avoids_mailbox?(options, key)

    purpose = %{
      fork_server?: fork_server?,
      key: key,
      group: Cgroup.new(options),
      patience: min(Stop.milliseconds(options) + @patience_ms, @longest_ms),
      use_stdio: options.stdout != :inherit,
      parallelism: options.parallelism,
      crowded?: crowded?,
      active: not crowded? and active(options),
      acks_by_reading?: acks_by_reading?(options),
      deadline: deadline
    }

    frame = fn environment, client_directory? ->
      with {:ok, directory} <- working_directory(client_directory?),
           do: Start.start(options, purpose.group, directory, environment)
    end

    with {:ok, stream} <- Transport.open(purpose, frame, &Leftovers.clean_up/1) do
      session = %__MODULE__{stream: stream, patience: purpose.patience, group: purpose.group}

      case await_started(session, frame, deadline) do
        {:again, _error} when attempts > 1 ->
          start_here(options, key, deadline, fork_server?, attempts - 1)

        {:again, error} ->
          {:error, error}

        started ->
          started
      end
    end
  end

  # Which frames come as messages. That is faster than to ask for each, unless there are many, and nothing but this library
  # may look at the mailbox meanwhile.
  defp active(%{context: context}) when context in [:daemon, :process], do: true

  defp active(%{context: context, into: into, input: input} = options)
       when context in [:cmd, :run, :shell] and is_binary(into) and input in [:open, :null],
       do: if(runs_code?(options), do: false, else: @few_frames)

  defp active(_options), do: false

  # Whether output that was read need not be acknowledged, since it is handled before more is read. With a larger window,
  # several frames are on their way. Then the acknowledgements cost little, and wake a session whose socket is full before
  # three quarters of it have been read.
  defp acks_by_reading?(%{context: context, stdio_window: window, into: into}),
    do: context in [:cmd, :run, :shell] and window <= @small_window and not Collector.slow?(into)

  # The directory that relative paths start from. Asking the BEAM for it wakes a dirty scheduler.
  defp working_directory(true), do: {:ok, :client_directory}

  defp working_directory(false) do
    case :file.get_cwd() do
      {:ok, directory} -> {:ok, directory |> Native.candidates() |> existing()}
      {:error, _deleted} -> {:error, Helper.no_directory()}
    end
  end

  defp existing([directory]), do: directory
  defp existing(candidates), do: Enum.find(candidates, hd(candidates), &File.dir?/1)

  defp await_started(session, frame, deadline) do
    case module(session).first(session.stream, deadline) do
      {{:frame, {:started, started}}, stream} ->
        {:ok,
         %{
           session
           | stream: module(session).started(stream, started),
             os_pid: started.session_pid,
             program_pid: started.program_pid
         }}

      {{:frame, {:failed, failed}}, stream} ->
        close(%{session | stream: stream})
        {:error, Error.from_failed(failed)}

      {{:frame, :environment_wanted}, stream} ->
        send_whole(%{session | stream: stream}, frame, deadline)

      {:timeout, stream} ->
        _error = lost(%{session | stream: stream}, nil)
        :timeout

      {{:frame, _other}, stream} ->
        {:error, lost(%{session | stream: stream}, nil)}

      {{:lost, status}, stream} ->
        error = lost(%{session | stream: stream}, status)

        # A connection that was still in the queue of a fork server that died never got a session, so it is safe to
        # try again.
        case module(session).replaced?(stream, deadline) do
          true -> {:again, error}
          false -> {:error, error}
          :timeout -> :timeout
        end

      {{:error, error}, stream} ->
        _error = lost(%{session | stream: stream}, nil)
        {:error, error}
    end
  end

  defp send_whole(session, frame, deadline) do
    case frame.(ForkServer.Environment.whole(), false) do
      {:ok, start} ->
        send_bytes(session, start)
        await_started(session, frame, deadline)

      {:error, error} ->
        _error = lost(session, nil)
        {:error, error}
    end
  end

  @doc "The next event of the session, or `:timeout` when there is none for `timeout` ms."
  @spec next(t(), timeout()) :: {event() | :timeout, t()}
  def next(session, timeout \\ :infinity) do
    {event, stream} = module(session).next(session.stream, timeout)
    count(session.program, event)
    {event, %{session | stream: stream}}
  end

  @doc "From now on, events come as messages, which `event/2` decodes. `next/2` may still be called."
  @spec activate(t()) :: t()
  def activate(session), do: %{session | stream: module(session).activate(session.stream)}

  @doc """
  Lets events arrive while the calling process does something else, up to the window. `next/2` takes them. A crowded mailbox
  would be searched for each of them, so there they do not.
  """
  @spec receive_ahead(t()) :: t()
  def receive_ahead(%{stream: %Socket{socket: socket}} = session) when is_port(socket),
    do: activate(session)

  def receive_ahead(session), do: session

  @doc "Whether events came before the first message. They have to be taken by `next/2`."
  @spec early?(t()) :: boolean()
  def early?(session), do: module(session).early?(session.stream)

  @doc "What a message means to this session; `:error` when it is not one of its messages."
  @spec event(t(), term()) :: {:ok, event()} | :error
  def event(session, message) do
    with {:ok, event} <- module(session).event(session.stream, message) do
      count(session.program, event)
      {:ok, event}
    end
  end

  @doc "Takes note of a message that says that the process of the session is gone."
  @spec note_end(t(), term()) :: t()
  def note_end(%{stream: %Socket{} = stream} = session, message),
    do: %{session | stream: Socket.note_end(stream, message)}

  def note_end(session, _message), do: session

  defp count(nil, _event), do: :ok
  defp count(program, event), do: Programs.count(program, event)

  @doc "How many bytes were written to the program's stdin, according to INPUT_ACK."
  @spec input_bytes(t()) :: non_neg_integer()
  def input_bytes(session), do: Programs.input_bytes(session.program)

  @doc "Sends a frame to the session."
  @spec send_frame(t(), Frame.sent()) :: :ok
  def send_frame(session, frame), do: send_bytes(session, Frame.encode(frame))

  @doc "Acknowledges output. Sends nothing if the session takes output as acknowledged once it was read."
  @spec ack(t(), non_neg_integer()) :: :ok
  def ack(%{stream: %Socket{acked_by_reading?: true}}, _bytes), do: :ok
  def ack(session, bytes), do: send_frame(session, {:ack, bytes})

  defp send_bytes(session, bytes), do: module(session).send(session.stream, bytes)

  @doc """
  Stops the program, waits for its end while throwing its output away, and closes the session. The
  session may be closed already.
  """
  @spec abandon(t()) :: :ok
  def abandon(session) do
    session = %{session | stream: module(session).reopen(session.stream)}
    send_frame(session, :discard)
    send_frame(session, :stop)
    await_exited(session)
  end

  defp await_exited(session) do
    case next(session) do
      {{:frame, {:exited, report}}, session} ->
        close(session, report)

      {{:frame, {:failed, failed}}, session} ->
        _error = given_up(session, failed)
        :ok

      {{:frame, _other}, session} ->
        await_exited(session)

      {{:lost, status}, session} ->
        _error = lost(session, status)
        :ok
    end
  end

  @doc "Closes the session after its exit report, as `close/1` does."
  @spec close(t(), Frame.report()) :: :ok
  def close(session, report) do
    close(session)
    leave(session, &Telemetry.ended(&1, report))
  end

  defp leave(%{program: nil}, _tell), do: :ok

  defp leave(%{program: program}, tell) do
    Programs.leave(program)
    tell.(program)
  end

  @doc """
  Closes the session after its last frame, and leaves no message of it behind. For a daemon, this returns when the process
  of the session is gone, too.
  """
  @spec close(t()) :: :ok
  def close(session), do: module(session).close(session.stream)

  @doc """
  Closes a session that has given up on its program, and said why. Returns the error to report.
  """
  @spec given_up(t(), map()) :: Error.t()
  def given_up(session, failed) do
    close(session)
    error = Error.from_failed(failed)
    leave(session, &Telemetry.failed(&1, error))
    error
  end

  @doc """
  Cleans up after a session that ended without EXITED or FAILED, or whose stream is closed. Waits until the program and
  all its descendants are gone, and returns the error to report.
  """
  @spec lost(t(), non_neg_integer() | nil) :: Error.t()
  def lost(session, exit_status) do
    {left, ended_status} = module(session).clean_up(session.stream, session)
    advice = Leftovers.advice(left, session.group)
    error = %{Helper.lost_error(session, exit_status || ended_status) | advice: advice}
    leave(session, &Telemetry.failed(&1, error))
    error
  end

  defp module(%{stream: %module{}}), do: module
end
