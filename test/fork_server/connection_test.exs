# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.ConnectionTest do
  # Not async: it looks for the sockets of this BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Test.{ForkServer, SecondBeam}

  @moduletag :capture_log
  @moduletag :tmp_dir

  # With so many messages, the socket uses the other backend of gen_tcp.
  @crowded 600

  if ForkServer.used?() do
    test "another process of the same user is refused, with and without the token" do
      {:ok, server} = MuonTrap.ForkServer.fetch()
      second = SecondBeam.start(marker())

      for token <- ["", elem(MuonTrap.ForkServer.Current.secrets(server), 0)] do
        args = [server.address, token]
        assert {:error, reason} = SecondBeam.call(second, ForkServer, :connect_as_stranger, args)
        assert reason in [:closed, :econnreset]
      end

      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
    end

    @tag MuonTrap.Test.Needs.needs(:lists_of_children)
    test "1,000 commands run at the same time" do
      second = SecondBeam.start(marker(), 4096)
      args = [1000]
      assert SecondBeam.call(second, ForkServer, :commands_at_once, args) == [{"hi\n", 0}]
    end

    for kind <- [:cmd, :crowded_cmd, :daemon] do
      test "the socket of a #{kind} that is closed by another process is an error", context do
        marker = marker()
        file = Path.join(context.tmp_dir, "pid")
        before = sockets()
        args = ["-c", "echo $$ >'#{file}'; exec sleep 1000"]
        test = self()
        kind = unquote(kind)
        opts = [env: [{"MARKER", marker}]]
        start_supervised!({Task, fn -> send(test, {:ended, run(kind, args, opts)}) end})
        program = await_pid(file)

        [socket] = sockets() -- before
        close(socket)
        assert_receive {:ended, %Error{step: :helper}}
        refute alive?(program)
      end
    end

    # Some frames come as messages, and the socket says after the last of them that no more will.
    test "a command leaves no message behind, however many frames its output has" do
      for trap? <- [false, true], bytes <- 0..6 do
        Process.flag(:trap_exit, trap?)
        output = String.duplicate("a", bytes)
        assert MuonTrap.cmd("printf", [output], stdio_window: 1) == {output, 0}

        opts = [stdio_window: 1, max_output_bytes: 2]
        result = if bytes > 2, do: {"aa", :max_output}, else: {output, 0}
        assert MuonTrap.cmd("printf", [output], opts) == result

        assert Process.info(self(), [:messages, :monitors]) == [messages: [], monitors: []]
      end
    end

    test "stop/1 and terminate_child/2 return when the process of the session is gone" do
      for _ <- 1..20 do
        {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
        session = Daemon.os_pid(daemon)
        :ok = GenServer.stop(daemon)
        assert state(session) == nil

        {:ok, supervisor} =
          Supervisor.start_link([{Daemon, ["sleep", ["1000"]]}], strategy: :one_for_one)

        [{_id, daemon, _type, _modules}] = Supervisor.which_children(supervisor)
        session = Daemon.os_pid(daemon)
        :ok = Supervisor.terminate_child(supervisor, Daemon)
        assert state(session) == nil
        Supervisor.stop(supervisor)
      end
    end

    test "the file of the helper may be deleted or replaced while it runs", context do
      helper = Path.join(context.tmp_dir, "helper")
      File.cp!(MuonTrap.muontrap_path(), helper)
      second = SecondBeam.start(marker(), 1024, "export MUONTRAP_HELPER='#{helper}'")
      echo = fn -> SecondBeam.call(second, MuonTrap, :cmd, ["echo", ["hi"]]) end
      assert echo.() == {"hi\n", 0}
      File.rm!(helper)
      assert echo.() == {"hi\n", 0}
      server = SecondBeam.call(second, ForkServer, :os_pid, [])
      kill(server, "KILL")
      await_gone(server)
      error = wait_until(fn -> with {"hi\n", 0} <- try_it(echo), do: nil end)
      assert %Error{step: :helper, errno: :enoent, path: ^helper} = error
      File.cp!(MuonTrap.muontrap_path(), helper)
      assert echo.() == {"hi\n", 0}
    end
  end

  # The sockets of both backends of gen_tcp.
  defp sockets do
    ports = for port <- Port.list(), Port.info(port, :name) == {:name, ~c"tcp_inet"}, do: port
    ports ++ :socket.which_sockets()
  end

  defp close(port) when is_port(port), do: Port.close(port)
  defp close(socket), do: :socket.close(socket)

  defp try_it(fun) do
    fun.()
  rescue
    error -> error
  end

  defp run(:crowded_cmd, args, opts) do
    for n <- 1..@crowded, do: send(self(), n)
    run(:cmd, args, opts)
  end

  defp run(:cmd, args, opts), do: catch_error(MuonTrap.cmd("sh", args, opts))

  defp run(:daemon, args, opts) do
    Process.flag(:trap_exit, true)

    # The program may be running before the daemon gets the message about it.
    case Daemon.start_link("sh", args, opts) do
      {:ok, daemon} -> receive(do: ({:EXIT, ^daemon, reason} -> reason))
      {:error, error} -> error
    end
  end
end
