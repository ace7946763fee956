# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Socket do
  @moduledoc false

  import Kernel, except: [send: 2]

  # The stream to a session that the fork server forks: a Unix socket, owned by the process that
  # opened it. When that process dies the BEAM closes the socket, and the session stops the
  # program. So there is nothing here to guard.

  alias MuonTrap.{Deadline, Error, ForkServer, Helper, Ports, Predecessors, Session}
  alias MuonTrap.ForkServer.{Control, Current, Environment}
  alias MuonTrap.Session.{ByteSocket, Frame, Start, Transport}

  @enforce_keys [:socket, :server_id, :connection, :patience]
  defstruct [
    :socket,
    :server_id,
    :connection,
    :patience,
    :entry,
    :session_pid,
    :ended,
    :monitor,
    acks_by_reading?: false,
    acked_by_reading?: false,
    active: false,
    soon: 0
  ]

  @type t :: %__MODULE__{
          socket: :gen_tcp.socket() | ByteSocket.t(),
          server_id: reference(),
          connection: ForkServer.connection(),
          patience: non_neg_integer(),
          entry: Predecessors.entry() | nil,
          session_pid: pos_integer() | nil,
          ended: Control.session_end() | nil,
          monitor: reference() | nil,
          acks_by_reading?: boolean(),
          acked_by_reading?: boolean(),
          active: boolean() | pos_integer(),
          soon: non_neg_integer()
        }

  # Longer than a session takes to exit, after its last frame and unless it is stopped.
  @exit_ms 500

  # Longer than starting a program takes, where nothing has to be waited for.
  @check_ms 2_000
  # The queue of connections of the fork server is full.
  @busy_pause_ms 2
  @connect_attempts 1_000

  # After a frame that took no longer, the next one is looked for this often before the process sleeps.
  @soon_us 100
  @polls 50

  # After this many such frames in a row, it is worth taking the connection over as a `ByteSocket`.
  @many 16

  # Length, type and 64 KiB of output, in bytes. A buffer of this size takes such a frame in one read, and nothing else.
  @longest_output_frame 4 + 1 + 65_536
  @framing [packet: 4, buffer: @longest_output_frame]

  @doc "Connects to the fork server and sends HELLO, then what `frame` makes of the environment."
  @spec open(Transport.purpose(), Transport.first_frame()) ::
          {:ok, t()} | {:error, Error.t()} | :timeout
  def open(purpose, frame) do
    with {:ok, server} <- ForkServer.fetch(purpose.deadline),
         do: open(server, purpose, frame, @connect_attempts)
  end

  defp open(_server, _purpose, _frame, 0), do: {:error, Helper.start_error(nil, :eagain)}

  # The fork server forks the session while START is made, which takes about as long.
  defp open(server, purpose, frame, attempts) do
    {token, raw} = Current.secrets(server)
    connection = ForkServer.new_connection(token)

    # Before anything can run because of this connection, so that a successor knows what to wait for. But after the
    # fork server can know of it: otherwise nobody would remove the entry of a daemon that is killed in between.
    with {:ok, socket} <- connect(server, connection, purpose),
         entry = enter(purpose, connection),
         start = fn -> make(frame, raw, server, socket) end,
         :ok <- send_opening(socket, Start.hello(token), start, purpose) do
      {:ok,
       %__MODULE__{
         socket: socket,
         server_id: server.id,
         connection: connection,
         patience: purpose.patience,
         entry: entry,
         acks_by_reading?: purpose.acks_by_reading?,
         active: purpose.active,
         monitor: monitor(socket, purpose)
       }}
    else
      {:error, reason} ->
        _owner = if purpose.key, do: Predecessors.ended(connection)

        with {:ok, next} <- after_error(reason, server, purpose.deadline),
             do: open(next, purpose, frame, attempts - 1)
    end
  end

  defp make(frame, raw, server, socket) do
    environment = Environment.current(raw, &ForkServer.publish_environment/0)

    with {:error, _not_made} = error <- frame.(environment, server.client_directory?) do
      :ok = :gen_tcp.close(socket)
      error
    end
  end

  # No other message tells a process that does not trap exits that another process has closed the socket.
  defp monitor(socket, %{active: active}) when is_integer(active), do: Port.monitor(socket)
  defp monitor(_socket, _purpose), do: nil

  # The fork server to try next.
  defp after_error(%Error{} = not_made, _server, _deadline), do: {:error, not_made}

  defp after_error(reason, server, deadline) do
    if Deadline.over?(deadline), do: :timeout, else: next_server(reason, server, deadline)
  end

  defp next_server(reason, server, _deadline)
       when reason in [:eagain, :enotconn, :eaddrinuse] do
    Process.sleep(@busy_pause_ms)
    {:ok, server}
  end

  defp next_server(:timeout, server, deadline) do
    with :ok <- ForkServer.check(server, deadline), do: {:ok, server}
  end

  # A fork server that cannot fork says so and closes the connection, maybe before all is sent. The
  # next connection gets to read it.
  defp next_server(:closed, server, deadline) do
    case ForkServer.check(server, deadline) do
      :ok -> {:ok, server}
      {:error, _died} -> ForkServer.fetch_next(server, deadline)
      :timeout -> :timeout
    end
  end

  defp next_server(_died, server, deadline), do: ForkServer.fetch_next(server, deadline)

  defp enter(%{key: nil}, _connection), do: nil

  defp enter(purpose, connection) do
    {:ok, entry} = Predecessors.enter(purpose.key, self(), connection, purpose.patience)
    entry
  end

  defp leave(nil), do: :ok
  defp leave(entry), do: Predecessors.leave(entry)

  defp connect(server, connection, purpose) do
    # Only daemons wait for the end of the session.
    name = server.address <> ForkServer.suffix(connection, purpose.key != nil)

    options = [:local, :binary, active: false, ifaddr: {:local, name}] ++ framing(purpose)
    :gen_tcp.connect({:local, server.address}, 0, backend(purpose) ++ options)
  end

  defp framing(%{active: false}), do: @framing
  # After the opening.
  defp framing(_purpose), do: []

  # The default backend waits for a message with a number in it, for which the BEAM searches the whole
  # mailbox. The other one is slower otherwise, but waits with fresh references. It also blocks in
  # send/2, where the default one has a queue.
  defp backend(%{crowded?: false}), do: []

  defp backend(%{deadline: deadline}) do
    timeout = deadline |> Deadline.remaining() |> min(@check_ms) |> max(1)
    [inet_backend: :socket, send_timeout: timeout]
  end

  defp send_opening(socket, hello, start, %{active: false, crowded?: crowded?}) do
    with :ok <- send_first(socket, hello),
         {:ok, start} <- start.(),
         :ok <- send_first(socket, start),
         do: wait_in_send(socket, crowded?)
  end

  # Its options have to be changed anyway, so that both frames can be one write.
  defp send_opening(socket, hello, start, %{active: active}) do
    with {:ok, start} <- start.(),
         :ok <- send_first(socket, [Frame.with_length(hello), Frame.with_length(start)]),
         do: make_active(socket, @framing ++ [active: active])
  end

  defp send_first(socket, frame) do
    with {:error, reason} <- :gen_tcp.send(socket, frame) do
      _closed = discard_unsent(socket)
      :ok = :gen_tcp.close(socket)
      {:error, reason(reason)}
    end
  end

  defp wait_in_send(_socket, false), do: :ok
  defp wait_in_send(socket, true), do: :inet.setopts(socket, send_timeout: :infinity)

  defp reason({:timeout, _unsent}), do: :timeout
  defp reason(:timeout), do: :timeout
  defp reason(_closed), do: :closed

  # Closing waits for what is in the queue of the default backend, and nobody may be there to read it.
  defp discard_unsent(socket) when is_port(socket), do: :inet.setopts(socket, linger: {true, 0})
  defp discard_unsent(_blocking), do: :ok

  @doc "Sends a frame. A session that is gone says so when it is read from."
  @spec send(t(), iodata()) :: :ok
  def send(%{socket: %ByteSocket{} = socket}, frame), do: ByteSocket.send(socket, frame)

  def send(%{socket: socket}, frame) do
    _ = :gen_tcp.send(socket, frame)
    :ok
  end

  @doc "The answer to the first frame, for which the fork server may have to be checked."
  @spec first(t(), Deadline.t()) :: {Session.event() | :timeout | {:error, Error.t()}, t()}
  def first(stream, deadline) do
    timeout = Deadline.remaining(deadline)

    case next(stream, min(timeout, @check_ms)) do
      {:timeout, stream} when timeout > @check_ms -> check(stream, deadline)
      event -> event
    end
  end

  defp check(stream, deadline) do
    with {:ok, server} <- ForkServer.fetch(deadline),
         :ok <- ForkServer.check(server, deadline) do
      first(stream, deadline)
    else
      not_checked -> {not_checked, stream}
    end
  end

  @doc "Whether another fork server has taken the place of the one that this stream leads to."
  @spec replaced?(t(), Deadline.t()) :: boolean() | :timeout
  def replaced?(stream, deadline) do
    case ForkServer.fetch(deadline) do
      {:ok, server} -> server.id != stream.server_id
      {:error, _error} -> false
      :timeout -> :timeout
    end
  end

  @doc "Takes down what STARTED said."
  @spec started(t(), map()) :: t()
  def started(stream, %{session_pid: pid}) do
    if stream.entry, do: Predecessors.started(stream.connection, pid)
    %{stream | session_pid: pid}
  end

  @doc "The next frame, or a part of one of output."
  @spec next(t(), timeout()) :: {Session.event() | :timeout, t()}
  def next(%{active: false, soon: soon} = stream, timeout) when soon > 0 and timeout > 0 do
    stream = if soon == @many, do: take_over(stream), else: stream

    case poll(stream, @polls) do
      {{:error, :timeout}, stream} -> wait(stream, timeout)
      {received, stream} -> {event(received), count_soon(stream)}
    end
  end

  def next(%{active: false} = stream, timeout), do: wait(stream, timeout)

  def next(%{socket: socket, monitor: monitor} = stream, timeout) do
    receive do
      {:tcp, ^socket, data} -> {{:frame, Frame.decode(data)}, stream}
      # Right after the last of as many frames as `active` says.
      {:tcp_passive, ^socket} -> next(%{stream | active: false}, timeout)
      {:tcp_closed, ^socket} -> {{:lost, nil}, stream}
      {:tcp_error, ^socket, _reason} -> {{:lost, nil}, stream}
      {:EXIT, ^socket, _reason} -> {{:lost, nil}, stream}
      {:DOWN, ^monitor, :port, ^socket, _reason} -> {{:lost, nil}, stream}
    after
      timeout -> {:timeout, stream}
    end
  end

  defp count_soon(%{soon: soon} = stream) when soon > @many, do: stream
  defp count_soon(stream), do: %{stream | soon: stream.soon + 1}

  defp take_over(%{socket: socket, monitor: monitor} = stream) when is_port(socket) do
    case ByteSocket.take_over(socket) do
      {:ok, byte_socket} ->
        if monitor, do: Process.demonitor(monitor, [:flush])
        flush(socket)

        ask_to_ack_by_reading(stream, byte_socket)
        %{stream | socket: byte_socket, monitor: nil}

      :error ->
        stream
    end
  end

  defp take_over(stream), do: stream

  defp ask_to_ack_by_reading(%{acks_by_reading?: true}, byte_socket),
    do: ByteSocket.send(byte_socket, Frame.encode(:ack_by_reading))

  defp ask_to_ack_by_reading(_stream, _byte_socket), do: :ok

  defp wait(stream, timeout) do
    since = :erlang.monotonic_time(:microsecond)
    {received, stream} = recv(stream, timeout)
    soon? = :erlang.monotonic_time(:microsecond) - since < @soon_us
    came? = received != {:error, :timeout}
    counts? = came? and soon? and polls?(stream)
    {event(received), if(counts?, do: count_soon(stream), else: %{stream | soon: 0})}
  end

  # To sleep for so short a time, and to be woken, costs both sides more than to look again. Other processes go first.
  defp poll(stream, 0), do: {{:error, :timeout}, stream}

  defp poll(stream, polls) do
    with {{:error, :timeout}, stream} <- recv(stream, 0) do
      :erlang.yield()
      poll(stream, polls - 1)
    end
  end

  # The other backend of gen_tcp takes longer.
  defp polls?(%{socket: socket}), do: is_port(socket) or is_struct(socket, ByteSocket)

  defp recv(%{socket: %ByteSocket{} = socket} = stream, timeout) do
    case ByteSocket.next(socket, timeout) do
      {{:ok, :acked_by_reading}, socket} ->
        recv(%{stream | socket: socket, acked_by_reading?: true}, timeout)

      {received, socket} ->
        {received, %{stream | socket: socket}}
    end
  end

  defp recv(%{socket: socket} = stream, timeout) do
    received =
      with {:ok, data} <- :gen_tcp.recv(socket, 0, timeout), do: {:ok, Frame.decode(data)}

    {received, stream}
  end

  defp event({:ok, frame}), do: {:frame, frame}
  defp event({:error, :timeout}), do: :timeout
  defp event({:error, _closed}), do: {:lost, nil}

  @doc "From now on, frames come as messages."
  @spec activate(t()) :: t()
  def activate(%{active: true} = stream), do: stream

  def activate(%{socket: socket} = stream) do
    make_active(socket, active: true)
    %{stream | active: true}
  end

  # A socket that is closed already says so by a message, too.
  defp make_active(socket, options) do
    with {:error, _closed} <- :inet.setopts(socket, options),
         do: Kernel.send(self(), {:tcp_closed, socket})

    :ok
  end

  @doc "Frames come in one way alone."
  @spec early?(t()) :: boolean()
  def early?(_stream), do: false

  @doc "What a message means."
  @spec event(t(), term()) :: {:ok, Session.event()} | :error
  def event(%{socket: socket}, message) do
    case message do
      {:tcp, ^socket, data} -> {:ok, {:frame, Frame.decode(data)}}
      {:tcp_closed, ^socket} -> {:ok, {:lost, nil}}
      {:tcp_error, ^socket, _reason} -> {:ok, {:lost, nil}}
      # Another process has closed it.
      {:EXIT, ^socket, _reason} -> {:ok, {:lost, nil}}
      _other -> :error
    end
  end

  @doc "Takes note of a message that says that the session is gone. What it sent before may still come."
  @spec note_end(t(), term()) :: t()
  def note_end(%{connection: connection} = stream, {:session_ended, connection, ended}),
    do: %{stream | ended: ended}

  def note_end(stream, _of_another), do: stream

  @doc "Makes it possible to wait for the end once more, after a message about it was taken."
  @spec reopen(t()) :: t()
  def reopen(%{active: false} = stream), do: stream

  def reopen(%{socket: socket} = stream) do
    if :erlang.port_info(socket) == :undefined, do: Kernel.send(self(), {:tcp_closed, socket})
    stream
  end

  @doc "Closes the stream after the last frame."
  @spec close(t()) :: :ok
  def close(stream) do
    close_quietly(stream)
    _ended = if stream.entry, do: await_end(stream)
    :ok
  end

  @doc """
  Waits for the end of a session that has not said that it is over. Returns how many of its processes are left, and how its
  own ended.
  """
  @spec clean_up(t(), Session.t()) :: {left :: non_neg_integer(), 0..255 | nil}
  def clean_up(stream, session) do
    _closed = discard_unsent(stream.socket)
    close_quietly(stream)

    ended = await_end(%{stream | session_pid: session.os_pid})
    {ended.survivors, exit_status(ended)}
  end

  defp exit_status(%{how: :exited, code: code}), do: code
  defp exit_status(%{how: :signaled, code: signal}), do: 128 + signal
  defp exit_status(%{how: :unknown}), do: nil

  defp await_end(stream), do: reported_end(stream) || ask_for_end(stream)

  defp ask_for_end(stream) do
    ended = ForkServer.await_end(stream.connection, stream.session_pid, stream.patience)
    leave(stream.entry)
    ended
  end

  defp reported_end(%{entry: nil}), do: nil
  defp reported_end(%{ended: ended}) when ended != nil, do: ended

  defp reported_end(%{connection: connection} = stream) do
    receive do
      {:session_ended, ^connection, ended} -> ended
    after
      if(current?(stream), do: @exit_ms, else: 0) -> nil
    end
  end

  # A later fork server does not report it by itself.
  defp current?(%{server_id: id}), do: match?(%{id: ^id}, Current.get())

  defp close_quietly(%{socket: %ByteSocket{} = socket}), do: ByteSocket.close(socket)

  defp close_quietly(%{socket: socket, active: active, monitor: monitor}) do
    if monitor, do: Process.demonitor(monitor, [:flush])

    # That is what :gen_tcp.close/1 comes to, with less code.
    if is_port(socket) and :erlang.port_info(socket, :queue_size) == {:queue_size, 0} do
      Ports.close(socket)
      flush(socket)
    else
      :ok = :gen_tcp.close(socket)
      if active || monitor, do: flush(socket), else: :ok
    end
  end

  defp flush(socket) do
    receive do
      {:tcp, ^socket, _data} -> flush(socket)
      {:tcp_passive, ^socket} -> flush(socket)
      {:tcp_closed, ^socket} -> flush(socket)
      {:tcp_error, ^socket, _reason} -> flush(socket)
      {:EXIT, ^socket, _reason} -> flush(socket)
    after
      0 -> :ok
    end
  end
end
