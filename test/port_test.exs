# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.PortTest do
  use ExUnit.Case, async: true

  alias MuonTrap.{Frame, Options, Port}
  alias MuonTrap.Daemon.{Server, State}

  describe "decode/1" do
    test "STARTED" do
      assert Frame.decode(<<0x81, 4711::32>>) == {:started, 4711, %{}}
      v2 = <<0x81, 1::32, 0::16, 4::16, "/a/b">>
      assert Frame.decode(v2) == {:started, 1, %{"" => "/a/b"}}
      v1 = <<0x81, 1::32, 11::16, "cpu,cpuacct", 2::16, "/c", 6::16, "memory", 2::16, "/m">>

      assert Frame.decode(v1) ==
               {:started, 1, %{"cpu" => "/c", "cpuacct" => "/c", "memory" => "/m"}}
    end

    test "output, without a copy" do
      frame = <<0x82>> <> :binary.copy("x", 1000)
      assert {:stdout, data} = Frame.decode(frame)
      assert :binary.referenced_byte_size(data) >= 1001
      assert Frame.decode(<<0x83, "err">>) == {:stderr, "err"}
      assert Frame.decode(<<0x82>>) == {:stdout, ""}
    end

    test "ANSWER" do
      frame = <<0x87, 1::16, "a", 2::32, "xy", 3::16, "b.c", 0::32>>
      assert Frame.decode(frame) == {:answer, %{"a" => "xy", "b.c" => ""}}
      assert Frame.decode(<<0x87>>) == {:answer, %{}}
      assert {:unknown, _bytes} = Frame.decode(<<0x87, 1::16, "a", 2::32, "x">>)
    end

    test "INPUT_ACK" do
      assert Frame.decode(<<0x84, 17::32>>) == {:input_ack, 17}
    end

    test "EXITED" do
      numbers = <<1::64, 2::64, 3::64, 4::64, 5::64, 6::64, 7::32, 8::32, 9::64>>

      assert Frame.decode(<<0x85, 0, 3, 0, numbers::binary>>) ==
               {:exited,
                %{
                  exit_status: 3,
                  signal: nil,
                  core_dumped: false,
                  oom_killed: false,
                  sigkill_needed: false,
                  cgroup_left: false,
                  user_time_us: 1,
                  system_time_us: 2,
                  peak_rss_bytes: 3,
                  wall_time_us: 4,
                  stdout_bytes: 5,
                  stderr_bytes: 6,
                  swept: 7,
                  survivors: 8,
                  cgroup_peak_bytes: 9
                }}

      assert {:exited, %{exit_status: 139, signal: 11}} =
               Frame.decode(<<0x85, 1, 11, 0, numbers::binary>>)
    end

    test "the flags of EXITED" do
      decoded = fn flags ->
        {:exited, report} = Frame.decode(<<0x85, 0, 0, flags, 0::size(7 * 64), -1::64>>)
        assert report.cgroup_peak_bytes == nil
        for {key, true} <- report, do: key
      end

      assert decoded.(0b00001) == [:core_dumped]
      assert decoded.(0b00010) == [:oom_killed]
      assert decoded.(0b00100) == []
      assert decoded.(0b01000) == [:sigkill_needed]
      assert decoded.(0b10000) == [:cgroup_left]
    end

    test "FAILED" do
      frame = <<0x86, 125, 2::32, 2::16, "cd", 2::16, "/x", 3::16, "why", 0::16>>

      assert Frame.decode(frame) ==
               {:failed,
                %{exit_status: 125, errno: 2, step: "cd", path: "/x", message: "why", advice: ""}}
    end

    test "anything else" do
      for frame <- [<<>>, <<0>>, <<0x81, 1>>, <<0x81, 1::32, 1>>, <<0x85, 0>>, <<0x86, 125>>] do
        assert {:unknown, _bytes} = Frame.decode(frame)
      end
    end
  end

  # The guard opens the port and hands it over. On a busy machine the program may have written, and
  # even ended, by then.
  describe "messages that came before the port was handed over" do
    setup do
      # Takes what is written to it, like a helper, and writes nothing. The shell keeps stdout open: the
      # port would close without.
      args = ["-c", "cat >/dev/null; exit"]
      port = Elixir.Port.open({:spawn_executable, "/bin/sh"}, [:binary, args: args])
      messages = [{port, {:data, <<0x82, "a\nb">>}}, {port, {:data, <<0x82, "c\n">>}}]

      session = %Port{
        port: port,
        monitor: Elixir.Port.monitor(port),
        helper: "",
        patience: 0,
        early: messages
      }

      %{session: session}
    end

    test "go before those in the mailbox", %{session: session} do
      send(self(), {session.port, {:data, <<0x82, "d">>}})
      assert {{:frame, {:stdout, "a\nb"}}, session} = Port.next(session)
      assert {{:frame, {:stdout, "c\n"}}, session} = Port.next(session, 0)
      assert {{:frame, {:stdout, "d"}}, session} = Port.next(session)
      assert {:timeout, session} = Port.next(session, 0)
      Port.close(session)
    end

    test "are the first that a daemon handles", %{session: session} do
      test = self()
      options = Options.validate(:daemon, "true", [], logger_fun: &send(test, {:line, &1}))
      state = options |> State.new() |> State.started(session)
      state = Enum.reduce([:early, :todo, :early, :todo, :early], state, &continue/2)
      assert_received {:line, "a"}
      assert_received {:line, "bc"}
      refute_received {:line, "d"}
      Port.close(state.session)
    end

    defp continue(what, state) do
      case {what, Server.handle_continue(what, state)} do
        {:early, {:noreply, state, {:continue, :todo}}} -> state
        {:todo, {:noreply, state, {:continue, :early}}} -> state
        {:early, {:noreply, state}} -> state
      end
    end
  end
end
