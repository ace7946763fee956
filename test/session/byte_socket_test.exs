# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.ByteSocketTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.{Error, Options, Session}
  alias MuonTrap.Session.ByteSocket
  alias MuonTrap.Test.ForkServer

  # After so many frames in a row that came soon, the socket is taken over.
  @many 16

  describe "take_over/1" do
    setup do
      address = {:local, <<0>> <> marker()}
      {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ifaddr: address])
      {:ok, client} = :gen_tcp.connect(address, 0, [:local, :binary, packet: 4, active: false])
      {:ok, peer} = :gen_tcp.accept(listener)
      %{client: client, peer: peer}
    end

    test "nothing is lost, wherever it is", %{client: client, peer: peer} do
      # One frame that was received, one in the buffer of the old socket, and a part of one.
      :ok =
        :gen_tcp.send(peer, [<<3::32, 0x82, "ab">>, <<3::32, 0x82, "cd">>, <<5::32, 0x83, "e">>])

      assert :gen_tcp.recv(client, 0) == {:ok, <<0x82, "ab">>}
      assert :gen_tcp.recv(client, 0) == {:ok, <<0x82, "cd">>}
      assert :gen_tcp.recv(client, 0, 0) == {:error, :timeout}

      assert {:ok, socket} = ByteSocket.take_over(client)
      assert :erlang.port_info(client) == :undefined
      assert {{:ok, {:stderr, "e"}}, socket} = ByteSocket.next(socket, 0)
      assert {{:error, :timeout}, socket} = ByteSocket.next(socket, 0)
      :ok = :gen_tcp.send(peer, <<"fgh", 1::32, 0x89>>)
      assert {{:ok, {:stderr, "fgh"}}, socket} = ByteSocket.next(socket, :infinity)
      assert {{:ok, :environment_wanted}, socket} = ByteSocket.next(socket, :infinity)

      assert ByteSocket.send(socket, [0x01, <<7::32>>]) == :ok
      assert :gen_tcp.recv(peer, 9) == {:ok, <<5::32, 0x01, 7::32>>}
      :ok = :gen_tcp.close(peer)
      assert {{:error, :closed}, socket} = ByteSocket.next(socket, :infinity)
      assert ByteSocket.send(socket, "x") == :ok
      assert ByteSocket.close(socket) == :ok
    end

    test "frames that nobody has received", %{client: client, peer: peer} do
      :ok = :gen_tcp.send(peer, [<<3::32, 0x82, "ab">>, <<3::32, 0x82, "cd">>])
      assert :gen_tcp.recv(client, 0) == {:ok, <<0x82, "ab">>}
      assert {:ok, socket} = ByteSocket.take_over(client)
      assert {{:ok, {:stdout, "cd"}}, socket} = ByteSocket.next(socket, :infinity)
      :ok = ByteSocket.close(socket)
      assert :gen_tcp.recv(peer, 0) == {:error, :closed}
    end

    test "not before all was sent", %{client: client, peer: peer} do
      :ok = :gen_tcp.send(peer, <<3::32, 0x82, "ab">>)
      size = fill(client, 0)
      assert ByteSocket.take_over(client) == :error
      assert :gen_tcp.recv(client, 0) == {:ok, <<0x82, "ab">>}
      assert {:ok, _sent} = :gen_tcp.recv(peer, size)
      wait_until(fn -> :erlang.port_info(client, :queue_size) == {:queue_size, 0} end)
      assert {:ok, _socket} = ByteSocket.take_over(client)
    end

    # Sends until something is left that the kernel does not take, and returns how many bytes that were.
    defp fill(client, size) do
      :ok = :gen_tcp.send(client, :binary.copy("x", 996))

      if :erlang.port_info(client, :queue_size) == {:queue_size, 0},
        do: fill(client, size + 1000),
        else: size + 1000
    end

    test "memory is not kept for what has not come", %{client: client, peer: peer} do
      assert {:ok, socket} = ByteSocket.take_over(client)

      for size <- [100, 40_000, 100], reduce: socket do
        socket ->
          :ok = :gen_tcp.send(peer, [<<size + 1::32, 0x82>>, :binary.copy("x", size)])
          receive_output(socket, size)
      end
    end

    defp receive_output(socket, 0), do: socket

    defp receive_output(socket, size) do
      assert {{:ok, {:stdout, data}}, socket} = ByteSocket.next(socket, :infinity)
      assert :binary.referenced_byte_size(data) <= 4 * byte_size(data) + 100
      receive_output(socket, size - byte_size(data))
    end

    test "only the owner may", %{client: client, peer: peer} do
      task = Task.async(fn -> ByteSocket.take_over(client) end)
      assert Task.await(task) == :error
      :ok = :gen_tcp.send(peer, <<3::32, 0x82, "ab">>)
      assert :gen_tcp.recv(client, 0) == {:ok, <<0x82, "ab">>}
    end
  end

  describe "a session whose socket was taken over" do
    @describetag skip: if(not ForkServer.used?(), do: "needs the fork server")

    defp start!(program, args, opts \\ [], context \\ :stream) do
      {:ok, session} = Session.start(Options.new(context, program, args, opts))
      put_in(session.stream.soon, @many)
    end

    # Reads all output, and returns it with the report.
    defp read(session, output \\ "") do
      case Session.next(session) do
        {{:frame, {:stdout, data}}, session} ->
          Session.ack(session, byte_size(data))
          read(session, output <> data)

        {{:frame, {:exited, report}}, session} ->
          assert %ByteSocket{} = session.stream.socket
          Session.close(session, report)
          {output, report}

        {{:frame, _input_ack}, session} ->
          read(session, output)
      end
    end

    test "reads all output, whatever the window, and leaves no message" do
      Process.flag(:trap_exit, true)

      for window <- [1, 100, 10_240, 1_048_576], context <- [:stream, :run] do
        size = min(100 * window, 5_000_000)
        command = ["-c", "yes | head -c #{size}; exit 3"]
        session = start!("sh", command, [stdio_window: window], context)
        assert {output, %{exit_status: 3, stdout_bytes: ^size}} = read(session)
        assert output == binary_part(String.duplicate("y\n", div(size, 2) + 1), 0, size)
      end

      assert mailbox() == []
    end

    # Reads 1,000 frames, which are acknowledged as far as is needed, and returns whether that is not at all.
    defp acked_by_reading?(context, window) do
      session =
        for _ <- 1..1000, reduce: start!("yes", [], [stdio_window: window], context) do
          session ->
            assert {{:frame, {:stdout, data}}, session} = Session.next(session)
            Session.ack(session, byte_size(data))
            session
        end

      assert Session.abandon(session) == :ok
      session.stream.acked_by_reading?
    end

    @tag MuonTrap.Test.Needs.needs(:sight_of_reading)
    test "need not be sent acknowledgements of a small window" do
      for context <- [:cmd, :run, :shell],
          window <- [1, 10_240, 16_384],
          do: assert(acked_by_reading?(context, window))
    end

    test "is sent acknowledgements of a large window, and of elements of a stream" do
      refute acked_by_reading?(:run, 16_385)
      refute acked_by_reading?(:stream, 10_240)
    end

    test "sends input" do
      session = start!("cat", [])
      assert {:timeout, session} = Session.next(session, 1)
      assert %ByteSocket{} = session.stream.socket
      input = :crypto.strong_rand_bytes(1_000_000)
      Session.send_frame(session, {:input, input})
      Session.send_frame(session, :input_eof)
      assert {^input, %{exit_status: 0}} = read(session)
    end

    test "is over when it is abandoned" do
      session = start!("sh", ["-c", "yes & exec yes"])
      assert {{:frame, {:stdout, _data}}, session} = Session.next(session)
      assert %ByteSocket{} = session.stream.socket
      assert Session.abandon(session) == :ok
      await_gone(session.program_pid)
    end

    test "is an error when it is killed" do
      session = start!("sleep", ["1000"])
      assert {:timeout, session} = Session.next(session, 1)
      kill(session.os_pid, "KILL")
      assert {{:lost, nil}, session} = Session.next(session)
      assert %Error{step: :helper} = Session.lost(session, nil)
      refute alive?(session.program_pid)
    end

    for reason <- [:kill, :normal] do
      test "ends when its owner ends with #{reason}" do
        test = self()

        owner =
          spawn(fn ->
            {:timeout, session} = Session.next(start!("sleep", ["1000"]), 1)
            %ByteSocket{} = session.stream.socket
            send(test, {:pid, session.program_pid})
            if unquote(reason) == :kill, do: Session.next(session)
          end)

        assert_receive {:pid, pid}, 10_000
        Process.exit(owner, :kill)
        await_gone(pid)
      end
    end

    test "ends when its owner ends meanwhile" do
      marker = marker()
      test = self()

      owner =
        spawn(fn ->
          MuonTrap.stream!("sh", ["-c", "yes; : #{marker}"])
          |> Enum.each(fn _chunk -> send(test, :chunk) end)
        end)

      for _chunk <- 1..100, do: assert_receive(:chunk, 10_000)
      Process.exit(owner, :kill)
      wait_until(fn -> marked(marker) == [] end)
    end
  end
end
