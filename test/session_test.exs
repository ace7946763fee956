# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.SessionTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Daemon.{Server, State}
  alias MuonTrap.{Options, Session}
  alias MuonTrap.Session.{Frame, Leftovers, Pipe}

  describe "decode/1" do
    test "STARTED" do
      pids = <<4711::32, 4712::32, 99::64>>
      started = {:started, %{session_pid: 4711, program_pid: 4712, start_time: 99}}
      assert Frame.decode(<<0x81, pids::binary>>) == started

      # With the directories of the cgroup.
      assert Frame.decode(<<0x81, pids::binary, 0::16, 4::16, "/a/b">>) == started
    end

    test "output, without a copy" do
      frame = <<0x82>> <> :binary.copy("x", 1000)
      assert {:stdout, data} = Frame.decode(frame)
      assert :binary.referenced_byte_size(data) >= 1001
      assert Frame.decode(<<0x83, "err">>) == {:stderr, "err"}
      assert Frame.decode(<<0x82>>) == {:stdout, ""}
    end

    test "ANSWER and REFUSED" do
      frame = <<0x87, 7::32, 1::16, "a", 2::32, "xy", 3::16, "b.c", 0::32>>
      assert Frame.decode(frame) == {:answer, 7, %{"a" => "xy", "b.c" => ""}}
      assert Frame.decode(<<0x87, 8::32>>) == {:answer, 8, %{}}
      assert {:unknown, _bytes} = Frame.decode(<<0x87, 7::32, 1::16, "a", 2::32, "x">>)

      refused = <<0x88, 9::32, 125, 16::32, 6::16, "cgroup", 0::16, 3::16, "why", 0::16>>
      assert {:refused, 9, %{errno: 16, message: "why"}} = Frame.decode(refused)
      assert Frame.decode(<<0x89>>) == :environment_wanted
    end

    test "INPUT_ACK" do
      assert Frame.decode(<<0x84, 17::32, 3::32>>) == {:input_ack, 17, 3}
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

  # The guard opens the port and passes it on. On a busy machine, the program may have written something,
  # or even exited, before that.
  describe "messages that came before the port was passed on" do
    setup do
      # Reads its input, like a helper, and writes nothing. The shell keeps stdout open, since the port
      # would close otherwise.
      args = ["-c", "cat >/dev/null; exit"]
      port = Port.open({:spawn_executable, "/bin/sh"}, [:binary, args: args])
      messages = [{port, {:data, <<0x82, "a\nb">>}}, {port, {:data, <<0x82, "c\n">>}}]

      pipe = %Pipe{
        guard: self(),
        ref: nil,
        port: port,
        os_pid: nil,
        monitor: Port.monitor(port),
        helper: "",
        clean_up: &Leftovers.clean_up/1,
        early: messages
      }

      %{session: %Session{stream: pipe, patience: 0}}
    end

    test "precede those in the mailbox", %{session: session} do
      send(self(), {session.stream.port, {:data, <<0x82, "d">>}})
      assert {{:frame, {:stdout, "a\nb"}}, session} = Session.next(session)
      assert {{:frame, {:stdout, "c\n"}}, session} = Session.next(session, 0)
      assert {{:frame, {:stdout, "d"}}, session} = Session.next(session)
      assert {:timeout, session} = Session.next(session, 0)
      Session.close(session)
    end

    test "are handled first by a daemon", %{session: session} do
      test = self()
      options = Options.validate(:daemon, "true", [], logger_fun: &send(test, {:line, &1}))
      state = options |> State.new({self(), make_ref()}) |> State.started(session)
      state = Enum.reduce([:early, :pending, :early, :pending, :early], state, &continue/2)
      assert_received {:line, "a"}
      assert_received {:line, "bc"}
      refute_received {:line, "d"}
      Session.close(state.session)
    end

    defp continue(what, state) do
      case {what, Server.handle_continue(what, state)} do
        {:early, {:noreply, state, {:continue, :pending}}} -> state
        {:pending, {:noreply, state, {:continue, :early}}} -> state
        {:early, {:noreply, state}} -> state
      end
    end
  end

  test "a session is not polled any more when a look has found nothing" do
    {:ok, session} = Session.start(Options.new(:stream, "sleep", ["60"], []))
    session = put_in(session.stream.soon, 1)
    assert {:timeout, session} = Session.next(session, 0)
    assert session.stream.soon == 0
    assert Session.abandon(session) == :ok
  end
end
