# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.ByteSocket do
  @moduledoc false

  # The connection to a session with much output, as a socket of `:socket`. It takes longer to open than one of `gen_tcp`,
  # but less time for each frame.

  alias MuonTrap.Session.{Frame, FrameBuffer}

  # The most bytes of one read, at first and once a read has been full. On OTP 25, a read takes this much memory, however
  # little has come.
  @small 16 * 1024
  @large 64 * 1024

  @enforce_keys [:socket, :buffer]
  defstruct [:socket, :buffer, size: @small]

  @type t :: %__MODULE__{
          socket: :socket.socket(),
          buffer: FrameBuffer.t(),
          size: pos_integer()
        }

  @doc """
  Takes the connection over from a passive socket of the calling process, which is closed. `:error`: that socket still has
  it, because another process owns it, something is still to be sent, or this BEAM has no `:socket`.
  """
  @spec take_over(port()) :: {:ok, t()} | :error
  def take_over(port) do
    with {:connected, owner} when owner == self() <- :erlang.port_info(port, :connected),
         {:queue_size, 0} <- :erlang.port_info(port, :queue_size),
         {:ok, fd} <- :inet.getfd(port),
         {:ok, socket} <- open(fd) do
      take_over(port, socket)
    else
      _not_possible -> :error
    end
  end

  defp take_over(port, socket) do
    with :ok <- set_size(socket, @small),
         :ok <- :inet.setopts(port, packet: :raw) do
      buffer = port |> unread() |> IO.iodata_to_binary() |> FrameBuffer.new()
      :ok = :gen_tcp.close(port)
      {:ok, %__MODULE__{socket: socket, buffer: buffer}}
    else
      # Another process has closed the port.
      _not_possible ->
        _ = :socket.close(socket)
        :error
    end
  end

  # With a descriptor of its own (`dup`), which stays open when the port closes.
  defp open(fd) do
    :socket.open(fd, %{
      dup: true,
      domain: :local,
      type: :stream,
      protocol: :default,
      use_registry: false
    })
  rescue
    # A BEAM may be built without it.
    error -> {:error, error}
  end

  defp set_size(socket, size), do: :socket.setopt(socket, {:otp, :rcvbuf}, size)

  # Everything that has arrived. The port may hold a part of a frame, and with a length of 0 it waits for the rest of it.
  # With a length of 1, it returns any byte that it has. The window bounds how much can arrive meanwhile.
  defp unread(port) do
    case :gen_tcp.recv(port, 1, 0) do
      {:ok, byte} -> [byte, more(port) | unread(port)]
      {:error, _nothing} -> []
    end
  end

  defp more(port) do
    case :gen_tcp.recv(port, 0, 0) do
      {:ok, bytes} -> bytes
      {:error, _nothing} -> []
    end
  end

  @doc "The next frame, or a part of one of output. Waits for it for `timeout` ms."
  @spec next(t(), timeout()) :: {{:ok, Frame.t()} | {:error, term()}, t()}
  def next(%{buffer: buffer} = byte_socket, timeout) do
    case FrameBuffer.pop(buffer) do
      {frame, buffer} -> {{:ok, frame}, %{byte_socket | buffer: buffer}}
      :none -> receive_more(byte_socket, timeout)
    end
  end

  defp receive_more(%{socket: socket, buffer: buffer, size: size} = byte_socket, timeout) do
    case :socket.recv(socket, 0, [], timeout) do
      {:ok, bytes} ->
        byte_socket = enlarge(byte_socket, byte_size(bytes) == size)
        buffer = FrameBuffer.push(buffer, without_spare_memory(bytes))
        next(%{byte_socket | buffer: buffer}, timeout)

      {:error, reason} ->
        {{:error, reason}, byte_socket}
    end
  end

  defp without_spare_memory(bytes) do
    if 4 * byte_size(bytes) < :binary.referenced_byte_size(bytes),
      do: :binary.copy(bytes),
      else: bytes
  end

  defp enlarge(%{size: @small} = byte_socket, true) do
    _ = set_size(byte_socket.socket, @large)
    %{byte_socket | size: @large}
  end

  defp enlarge(byte_socket, _was_full), do: byte_socket

  @doc "Sends a frame. Errors are ignored: the next read reports them."
  @spec send(t(), iodata()) :: :ok
  def send(%{socket: socket}, frame) do
    _ = :socket.send(socket, Frame.with_length(frame))
    :ok
  end

  @doc "Closes the connection."
  @spec close(t()) :: :ok
  def close(%{socket: socket}) do
    _ = :socket.close(socket)
    :ok
  end
end
