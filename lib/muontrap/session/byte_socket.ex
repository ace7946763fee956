# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.ByteSocket do
  @moduledoc false

  # The socket of a session with much output, as one of `:socket`. That takes longer to open than one of `gen_tcp`, but less
  # for each frame.

  alias MuonTrap.Session.{Frame, FrameBuffer}

  # The longest read in bytes, and what becomes of it after a read that was as long. On OTP 25, a read takes as much memory
  # as this, however little has come.
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
  Takes the connection of a passive socket of the calling process, which is closed. `:error`: it is as it was, since another
  process owns it, or not all was sent yet, or there is no `:socket` in this BEAM.
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

  # `dup`: with a descriptor of its own, which stays open.
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

  # All that has come, of which the old socket may have read a part. Once there is not one byte, it has none either. The
  # window bounds how much can come.
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

  @doc "Looks for the next frame, or a part of one of output, and waits for it for so many milliseconds."
  @spec next(t(), timeout()) :: {{:ok, Frame.t()} | {:error, :timeout | term()}, t()}
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

  @doc "Sends a frame, whatever becomes of it."
  @spec send(t(), iodata()) :: :ok
  def send(%{socket: socket}, frame) do
    _ = :socket.send(socket, [<<IO.iodata_length(frame)::32>> | frame])
    :ok
  end

  @doc "Closes the connection."
  @spec close(t()) :: :ok
  def close(%{socket: socket}) do
    _ = :socket.close(socket)
    :ok
  end
end
