# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Daemon

  # OTP reports daemons that stop with an error.
  @moduletag :capture_log

  doctest MuonTrap.Daemon

  defp start(script, opts), do: Daemon.start_link("sh", ["-c", script], opts)

  defp start!(script, opts \\ []) do
    {:ok, daemon} = start(script, opts)
    daemon
  end

  defp to_me do
    test = self()
    fn line -> send(test, {:line, line}) end
  end

  # The lines of a program that exits, and the reason with which the daemon stops.
  defp lines(script, opts \\ []) do
    Process.flag(:trap_exit, true)
    daemon = start!(script, [logger_fun: to_me()] ++ opts)
    assert_receive {:EXIT, ^daemon, reason}
    {received_lines(), reason}
  end

  defp received_lines do
    receive do
      {:line, line} -> [line | received_lines()]
    after
      0 -> []
    end
  end

  describe "child_spec/1" do
    test "accepts all arguments of start_link/3" do
      assert %{
               id: Daemon,
               start: {Daemon, :start_link, ["sleep", ["1"], []]},
               restart: :permanent,
               shutdown: 5500
             } = Daemon.child_spec(["sleep", ["1"]])

      assert Daemon.child_spec(["sleep", ["1"], [name: :x, delay_to_sigkill: 0]]).shutdown == 5000

      assert Daemon.child_spec(["sleep", ["1"], [stop: [sigint: 2000, sigterm: 500]]]).shutdown ==
               7500

      assert Supervisor.child_spec({Daemon, ["a", []]}, id: :b).id == :b
    end

    test "has a shutdown time that supervisors accept" do
      for delay <- [4_294_962_295, 4_294_962_296, 4_294_967_295] do
        spec = {Daemon, ["sleep", ["1000"], [delay_to_sigkill: delay]]}
        {:ok, supervisor} = Supervisor.start_link([spec], strategy: :one_for_one)
        assert Supervisor.stop(supervisor) == :ok
      end
    end

    test "ignores options that start_link/3 will refuse" do
      assert Daemon.child_spec(["sleep", ["1"], [delay_to_sigkill: :no]]).shutdown == 5500
    end
  end

  describe "start_link" do
    test "returns when the program is running" do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
      program = Daemon.program_os_pid(daemon)
      assert name(program) == "sleep"
      assert muontrap?(Daemon.os_pid(daemon))
      assert parent(program) == Daemon.os_pid(daemon)
      GenServer.stop(daemon)
    end

    test "registers no name if it is nil" do
      daemon = start!("exec sleep 1000", name: nil)
      assert Process.info(daemon, :registered_name) == {:registered_name, []}
      GenServer.stop(daemon)
    end

    for {kind, name} <- [
          atom: :muontrap_daemon_test,
          global: {:global, :muontrap_daemon_test},
          via: {:via, :global, :muontrap_daemon_test_via}
        ] do
      test "registers a name, #{kind}" do
        name = unquote(Macro.escape(name))
        daemon = start!("exec sleep 1000", name: name)
        assert GenServer.whereis(name) == daemon
        assert is_integer(Daemon.os_pid(name))
        assert start("exec sleep 1000", name: name) == {:error, {:already_started, daemon}}
        GenServer.stop(name)
      end
    end

    test "raises for wrong arguments in the caller" do
      assert_raise ArgumentError, ~r/invalid option :uid with value 0/, fn ->
        start("", uid: 0)
      end

      assert_raise ArgumentError, ~r/must be binaries/, fn -> Daemon.start_link("sh", [1]) end
    end

    @tag :tmp_dir
    test "returns an error if the program cannot be run", %{tmp_dir: directory} do
      plain = Path.join(directory, "plain")
      File.write!(plain, "")
      no_interpreter = script(directory, "program", "#!/no/such/interpreter\n")

      assert Daemon.start_link("no_such_program", []) == {:error, :enoent}
      assert Daemon.start_link("/no/such/program", []) == {:error, :enoent}
      assert Daemon.start_link(plain, []) == {:error, :eacces}
      assert {:error, %MuonTrap.Error{step: :exec}} = Daemon.start_link(no_interpreter, [])
      assert {:error, %MuonTrap.Error{step: :cd}} = start("true", cd: "/no/such/directory")
      # This process, which is linked and does not trap exits, is still alive.
      assert mailbox() == []
    end

    test "sends nothing to a caller that traps exits if the program cannot be run" do
      Process.flag(:trap_exit, true)

      for start_link <- [&Daemon.start_link/3, &MuonTrap.Process.start_link/3], _ <- 1..10 do
        assert {:error, %MuonTrap.Error{step: :cd}} =
                 start_link.("true", [], cd: "/no/such/directory")
      end

      assert mailbox() == []
    end
  end

  describe "lines" do
    test "are complete, also an unterminated last one" do
      assert lines("printf 'one\\ntwo\\r\\n\\nlast'") == {["one", "two", "", "last"], :normal}
    end

    test "do not depend on the window" do
      numbers = Enum.map(1..300, &"#{&1}")
      assert lines("seq 1 300", stdio_window: 1) == {numbers, :normal}
      assert lines("seq 1 300", stdio_window: 1_000_000) == {numbers, :normal}
    end

    test "are split into pieces if they are too long" do
      assert lines("printf 'abcdefghij\\nk\\n'", log_max_line_bytes: 4) ==
               {["abcd", "efgh", "ij", "k"], :normal}

      {pieces, :normal} = lines("head -c 200000 /dev/zero")
      assert Enum.map(pieces, &byte_size/1) == [65_536, 65_536, 65_536, 3392]
    end

    test "may come from stderr" do
      script = "echo out; echo err >&2"
      assert lines(script, stderr_to_stdout: true) == {["out", "err"], :normal}
      assert lines(script, capture_stderr_only: true) == {["err"], :normal}

      both = [capture_stderr_only: true, stderr_to_stdout: true]
      assert lines(script, both) == {["err"], :normal}
    end

    test "may be passed to a function of a module" do
      {lines, :normal} = lines("echo a", logger_fun: {__MODULE__, :send_line, [self()]})
      assert lines == ["a"]
    end

    def send_line(line, pid), do: send(pid, {:line, line})

    test "are handled one after the other" do
      test = self()

      fun = fn line ->
        send(test, {:line, self(), line})
        receive(do: (:go_on -> :ok))
      end

      start!("echo one; echo two", logger_fun: fun)
      assert_receive {:line, daemon, "one"}
      send(daemon, :go_on)
      assert_receive {:line, ^daemon, "two"}
      send(daemon, :go_on)
    end
  end

  describe "the end of the program" do
    test "stops the daemon, with a reason" do
      assert {[], :normal} = lines("exit 0")
      assert {[], :error_exit_status} = lines("exit 1")
      assert {[], :error_exit_status} = lines("kill -TERM $$")
    end

    test "may have another reason, unless the exit status is 0" do
      opts = [exit_status_to_reason: &{:status, &1}]
      assert {[], :normal} = lines("exit 0", opts)
      assert {[], {:status, 3}} = lines("exit 3", opts)
      assert {[], {:status, 143}} = lines("kill -TERM $$", opts)
    end

    test "because the helper is killed is an error" do
      Process.flag(:trap_exit, true)
      daemon = start!("exec sleep 1000")
      program = Daemon.program_os_pid(daemon)
      kill(Daemon.os_pid(daemon), "KILL")
      assert_receive {:EXIT, ^daemon, %MuonTrap.Error{step: :helper}}
      refute alive?(program)
    end
  end

  describe "statistics/1" do
    test "counts" do
      daemon = start!("echo one; echo two; exec sleep 1000", logger_fun: to_me())
      assert_receive {:line, "two"}

      assert %{
               output_byte_count: 8,
               stdout_byte_count: 8,
               stderr_byte_count: 0,
               line_count: 2,
               uptime_ms: uptime,
               cgroup: %{}
             } = Daemon.statistics(daemon)

      assert uptime >= 0
      GenServer.stop(daemon)
    end

    test "counts stderr separately" do
      daemon =
        start!("echo e >&2; exec sleep 1000", logger_fun: to_me(), capture_stderr_only: true)

      assert_receive {:line, "e"}
      assert %{stdout_byte_count: 0, stderr_byte_count: 2} = Daemon.statistics(daemon)
      GenServer.stop(daemon)
    end

    test "counts only stderr, without logging it" do
      for opts <- [[], [stderr_to_stdout: true]] do
        script = "echo out; echo err >&2; exec sleep 1000"
        daemon = start!(script, [capture_stderr_only: true] ++ opts)
        wait_until(fn -> Daemon.statistics(daemon).stderr_byte_count == 4 end)
        assert %{stdout_byte_count: 0, output_byte_count: 4} = Daemon.statistics(daemon)
        program = Daemon.program_os_pid(daemon)
        # The shell redirects its stdout for a moment.
        wait_until(fn -> name(program) == "sleep" end)
        assert File.read_link!("/proc/#{program}/fd/1") == "/dev/null"
        GenServer.stop(daemon)
      end
    end

    test "counts nothing if the output is not read" do
      daemon = start!("echo a; exec sleep 1000")
      assert %{output_byte_count: 0, line_count: 0} = Daemon.statistics(daemon)
      GenServer.stop(daemon)
    end
  end

  describe "stopping" do
    @trap "trap 'sleep 0.3; echo stopped; exit 0' TERM; echo ready; while :; do sleep 0.01; done"

    test "waits for the program, and logs its last output" do
      daemon = start!(@trap, logger_fun: to_me(), delay_to_sigkill: 10_000)
      assert_receive {:line, "ready"}
      program = Daemon.program_os_pid(daemon)
      :ok = GenServer.stop(daemon)
      refute alive?(program)
      assert received_lines() == ["stopped"]
    end

    test "kills a program that ignores the signal" do
      script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
      daemon = start!(script, logger_fun: to_me(), delay_to_sigkill: 50)
      assert_receive {:line, "ready"}
      program = Daemon.program_os_pid(daemon)
      :ok = GenServer.stop(daemon)
      refute alive?(program)
    end

    # The lines that a program writes after "ready".
    defp stopped(script, opts) do
      daemon = start!(script, [logger_fun: to_me()] ++ opts)
      assert_receive {:line, "ready"}
      :ok = GenServer.stop(daemon)
      received_lines()
    end

    test "takes several steps" do
      script =
        "trap 'echo int' INT; trap 'echo term; exit' TERM; echo ready; while :; do sleep 0.01; done"

      assert stopped(script, stop: [sigint: 100, sigterm: 60_000]) == ["int", "term"]
      assert stopped(script, stop: [sigterm: 60_000, sigint: 60_000]) == ["term"]
      assert stopped(script, stop: [sigint: 2000]) == ["int"]
      assert stopped(script, stop: []) == []
    end

    test "lets descendants end that are to get the signals" do
      server = "trap 'sleep 0.1; echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done"
      script = ~S(sh -c "$SERVER"; echo never)
      opts = [delay_to_sigkill: 60_000, env: [{"SERVER", server}]]
      assert stopped(script, opts) == []
      assert stopped(script, [stop_scope: :group] ++ opts) == ["bye"]
      assert stopped(script, [stop_scope: :all] ++ opts) == ["bye"]
    end

    test "by a supervisor waits, too" do
      marker = marker()
      opts = [logger_fun: to_me(), delay_to_sigkill: 10_000, env: [{"MARKER", marker}]]
      spec = {Daemon, ["sh", ["-c", @trap], opts]}
      {:ok, supervisor} = Supervisor.start_link([spec], strategy: :one_for_one)
      assert_receive {:line, "ready"}
      :ok = Supervisor.terminate_child(supervisor, Daemon)
      assert marked(marker) == []
      assert_received {:line, "stopped"}

      {:ok, _daemon} = Supervisor.restart_child(supervisor, Daemon)
      assert_receive {:line, "ready"}
      :ok = Supervisor.stop(supervisor)
      assert marked(marker) == []
      assert_received {:line, "stopped"}
    end

    test "kills descendants, too" do
      marker = marker()
      script = "sleep 1000 & setsid sleep 1000 & echo ready; wait"
      daemon = start!(script, logger_fun: to_me(), env: [{"MARKER", marker}])
      assert_receive {:line, "ready"}
      :ok = GenServer.stop(daemon)
      assert marked(marker) == []
    end

    test "is not delayed by a full window" do
      daemon = start!("yes", logger_fun: fn _line -> :ok end, stdio_window: 100)
      program = Daemon.program_os_pid(daemon)
      :ok = GenServer.stop(daemon)
      refute alive?(program)
    end

    test "happens when a linked process ends with an error" do
      Process.flag(:trap_exit, true)
      test = self()

      starter =
        spawn_link(fn ->
          daemon = start!("exec sleep 1000")
          send(test, {:started, daemon, Daemon.program_os_pid(daemon)})
          receive(do: (:end -> exit(:over)))
        end)

      assert_receive {:started, daemon, program}
      ref = Process.monitor(daemon)
      send(starter, :end)
      assert_receive {:DOWN, ^ref, :process, ^daemon, :over}
      refute alive?(program)
    end

    test "happens when logging fails, whatever the program still writes" do
      Process.flag(:trap_exit, true)
      fun = fn _line -> raise "no" end

      for script <- ["yes", "echo a; exec sleep 1000", "trap 'echo bye' TERM; echo a; sleep 1000"],
          window <- [1, 10_240] do
        marker = marker()

        case start(script, logger_fun: fun, stdio_window: window, env: [{"MARKER", marker}]) do
          {:ok, daemon} -> assert_receive {:EXIT, ^daemon, {%RuntimeError{}, _stack}}
          {:error, _reason} -> flunk("the program was started")
        end

        assert marked(marker) == []
      end
    end
  end

  describe ":wait_for" do
    test "delays the program, but nothing else" do
      test = self()

      wait_for = fn ->
        send(test, {:waiting, self()})
        receive(do: (:go_on -> :ok))
      end

      daemon = start!("exec sleep 1000", wait_for: wait_for)
      assert Daemon.os_pid(daemon) == :error
      assert Daemon.program_os_pid(daemon) == :error
      assert %{uptime_ms: 0, output_byte_count: 0} = Daemon.statistics(daemon)
      assert_receive {:waiting, waiter}
      send(waiter, :go_on)
      program = wait_until(fn -> with :error <- Daemon.program_os_pid(daemon), do: nil end)
      assert alive?(program)
      GenServer.stop(daemon)
    end

    test "is stopped with the daemon" do
      test = self()

      daemon =
        start!("exec sleep 1000",
          wait_for: fn ->
            send(test, {:waiting, self()})
            Process.flag(:trap_exit, true)
            receive(do: (:never -> :ok))
          end
        )

      assert_receive {:waiting, waiter}
      ref = Process.monitor(waiter)
      GenServer.stop(daemon)
      assert_receive {:DOWN, ^ref, :process, ^waiter, :killed}
    end

    test "stops the daemon if it fails" do
      Process.flag(:trap_exit, true)
      daemon = start!("exec sleep 1000", wait_for: fn -> exit(:no_device) end)
      assert_receive {:EXIT, ^daemon, :no_device}
    end

    test "stops the daemon later if the program cannot be started" do
      Process.flag(:trap_exit, true)
      {:ok, daemon} = Daemon.start_link("/no/such/program", [], wait_for: fn -> :ok end)
      assert_receive {:EXIT, ^daemon, :enoent}
    end
  end
end
