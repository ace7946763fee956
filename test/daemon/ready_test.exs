# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonReadyTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.Needs
  import MuonTrap.Test.Options
  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Test.Notifier

  # OTP reports daemons that stop with an error.
  @moduletag :capture_log

  # Writes its input to its output.
  defp start!(opts), do: start!("cat", [], opts)

  defp start!(command, args, opts) do
    {:ok, daemon} = Daemon.start_link(command, args, opts)
    daemon
  end

  # The test continues when the daemon has answered a call, and is not ready.
  defp assert_waiting(daemon) do
    assert Daemon.status(daemon).ready == false
    assert Daemon.await_ready(daemon, 0) == {:error, :timeout}
  end

  defp stop(daemon), do: :ok = GenServer.stop(daemon)

  test "the options" do
    accepts(:daemon, :ready, [{:notify, :notify}, {{:tcp, 80}, {:tcp, 80}}])
    accepts(:daemon, :ready, [{{:unix, "a"}, {:unix, "a"}}, {{:file, "/a"}, {:file, "/a"}}])
    refuses(:daemon, :ready, [nil, :ready, {:tcp, 0}, {:unix, ""}, {:file, "a\0"}, {:line, "x"}])
    too_long = refused(:daemon, :ready, {:unix, String.duplicate("x", 108)})
    assert too_long =~ ~r/at most 10[37] bytes on this system, and "x+" has 108/
    refuses(:daemon, :ready, [{:line, fn -> true end}, {:tcp, "80"}, {:udp, 1}])
    accepts(:daemon, :ready_timeout, [{1, 1}, {:infinity, :infinity}])
    refuses(:daemon, :ready_timeout, [0, nil, "1"])
    accepts(:daemon, :start, [{:when_ready, :when_ready}, {:when_running, :when_running}])
    # Relative to :cd, which counts.
    directory = "/" <> String.duplicate("d", 100)
    cd = fn cd, path -> valid(:daemon, ready: {:unix, path}, cd: cd).ready end
    assert cd.(directory, "/socket") == {:unix, "/socket"}

    assert_raise ArgumentError, ~r/"#{directory}\/socket" has 108/, fn ->
      cd.(directory, "socket")
    end

    refuses(:daemon, :start, [:ready, nil, {Daemon, :start_link, []}])
    assert valid(:daemon, ready: {:line, ~r/x/}).stdout == :capture
    assert valid(:daemon, ready: :notify).stdout == :discard

    assert_raise ArgumentError, ~r/cannot use :ready and "stdout: :discard"/, fn ->
      valid(:daemon, ready: {:line, ~r/x/}, stdout: :discard)
    end
  end

  test "a program without a condition is ready once it runs" do
    daemon = start!([])
    assert Daemon.await_ready(daemon) == :ok
    assert Daemon.status(daemon) == %{ready: true, status: nil, main_pid: nil, stopping: false}
    stop(daemon)
    {:ok, daemon} = Daemon.start_link("cat", [], start: :when_ready)
    stop(daemon)
  end

  test "an invalid timeout is an error of the caller" do
    daemon = start!(ready: :notify)

    for timeout <- [-1, nil, 1.5],
        do: assert_raise(ArgumentError, fn -> Daemon.await_ready(daemon, timeout) end)

    assert_waiting(daemon)
    stop(daemon)
  end

  describe "a line" do
    test "may match a regex" do
      daemon = start!(ready: {:line, ~r/^listening on \d+$/})
      :ok = Daemon.write(daemon, "not listening on 1\nlistening on 80 \n\xFF\n")
      wait_until(fn -> Daemon.info(daemon).stdout_bytes == 38 end)
      assert_waiting(daemon)
      :ok = Daemon.write(daemon, "listening on 80\nand more\n")
      assert Daemon.await_ready(daemon) == :ok
      assert Daemon.statistics(daemon).line_count == 0
      stop(daemon)
    end

    test "may be given to a function, until that returns true" do
      test = self()

      fun = fn line ->
        send(test, {:asked, line})
        line == "two"
      end

      daemon = start!(ready: {:line, fun}, logger_fun: &send(test, {:logged, &1}))
      :ok = Daemon.write(daemon, "one\ntwo\nthree\n")
      assert Daemon.await_ready(daemon) == :ok
      for line <- ["one", "two", "three"], do: assert_receive({:logged, ^line}, 60_000)
      assert_received {:asked, "one"}
      assert_received {:asked, "two"}
      refute_received {:asked, "three"}
      stop(daemon)
    end

    test "may come from stderr that is captured" do
      script = "echo ready >&2; exec sleep 1000"

      for stderr <- [:to_stdout, :capture] do
        daemon = start!("sh", ["-c", script], ready: {:line, ~r/ready/}, stderr: stderr)
        assert Daemon.await_ready(daemon) == :ok
        stop(daemon)
      end
    end

    test "that bytes other than UTF-8 are in does not match" do
      daemon = start!(ready: {:line, ~r/\w/u})
      :ok = Daemon.write(daemon, "\xFFabc\nd\n")
      assert Daemon.await_ready(daemon) == :ok
      stop(daemon)
    end

    test "that its function fails for stops the daemon" do
      Process.flag(:trap_exit, true)

      for fun <- [
            fn _line -> raise "no" end,
            fn _line -> throw(:no) end,
            fn _line -> exit(:no) end
          ] do
        marker = marker()
        daemon = start!(ready: {:line, fun}, env: [{"MARKER", marker}])
        :ok = Daemon.write(daemon, "a\n")
        assert_receive {:EXIT, ^daemon, reason}, 60_000

        assert reason == :no or match?({%RuntimeError{}, _}, reason) or
                 match?({{:nocatch, :no}, _}, reason)

        assert marked(marker) == []
      end
    end
  end

  describe "connections" do
    test "to a port" do
      # Reserved: nobody else gets it, and nobody listens on it.
      {:ok, socket} = :socket.open(:inet, :stream)
      :ok = :socket.setopt(socket, :socket, :reuseaddr, true)
      :ok = :socket.bind(socket, %{family: :inet, addr: :loopback, port: 0})
      {:ok, %{port: port}} = :socket.sockname(socket)
      daemon = start!("perl", Notifier.tcp(port), ready: {:tcp, port})
      assert_waiting(daemon)
      :ok = Daemon.write(daemon, "go\n")
      assert Daemon.await_ready(daemon) == :ok
      stop(daemon)
    end

    # Addresses are short.
    test "to a socket, relative to :cd" do
      directory = Path.join(System.tmp_dir!(), "muontrap-" <> marker())
      File.mkdir!(directory)
      on_exit(fn -> File.rm_rf!(directory) end)
      daemon = start!("perl", Notifier.unix("socket"), ready: {:unix, "socket"}, cd: directory)
      wait_until(fn -> File.exists?(Path.join(directory, "socket")) end)
      assert_waiting(daemon)
      :ok = Daemon.write(daemon, "go\n")
      assert Daemon.await_ready(daemon) == :ok
      stop(daemon)
    end
  end

  @tag :tmp_dir
  test "a file, relative to :cd", %{tmp_dir: directory} do
    script = "read x; touch made; exec sleep 1000"
    daemon = start!("sh", ["-c", script], ready: {:file, "made"}, cd: directory)
    assert_waiting(daemon)
    :ok = Daemon.write(daemon, "go\n")
    assert Daemon.await_ready(daemon) == :ok
    stop(daemon)
  end

  describe "notifications" do
    test "are understood" do
      daemon = start!("perl", Notifier.notify(), ready: :notify)
      assert_waiting(daemon)
      :ok = Daemon.write(daemon, "STATUS=soon;MAINPID=7;X_OTHER=1;MAINPID=x\n")
      wait_until(fn -> Daemon.status(daemon).status == "soon" end)
      assert Daemon.status(daemon).main_pid == 7
      assert_waiting(daemon)
      :ok = Daemon.write(daemon, "READY=1;STATUS=now\nSTOPPING=1\n")
      assert Daemon.await_ready(daemon) == :ok
      wait_until(fn -> Daemon.status(daemon).stopping end)
      assert Daemon.status(daemon).status == "now"
      stop(daemon)
    end

    test "may come without a pause" do
      daemon = start!("perl", Notifier.notify(), ready: :notify)
      :ok = Daemon.write(daemon, String.duplicate("STATUS=x\n", 3000) <> "READY=1\n")
      assert Daemon.await_ready(daemon) == :ok
      spawn(fn -> Daemon.write(daemon, String.duplicate("STATUS=x\n", 100_000)) end)
      stop(daemon)
    end

    @tag needs(program: "systemd-notify")
    test "may come from systemd-notify" do
      script = "systemd-notify --ready --status=fine; exec sleep 1000"
      daemon = start!("sh", ["-c", script], ready: :notify)
      assert Daemon.await_ready(daemon) == :ok
      assert Daemon.status(daemon).status == "fine"
      stop(daemon)
    end

    test "go to the daemon, and not to the service manager of the BEAM" do
      script = "echo \"$NOTIFY_SOCKET $WATCHDOG_USEC $WATCHDOG_PID\"; exec sleep 1000"
      me = self()
      opts = [ready: :notify, logger_fun: &send(me, {:line, &1})]
      start = fn opts -> start!("sh", ["-c", script], opts) end

      daemon = start.(opts)
      assert_receive {:line, line}, 60_000
      assert line =~ ~r/^@\S+  $/
      stop(daemon)

      daemon = start.([watchdog: 60_000] ++ opts)
      assert_receive {:line, line}, 60_000
      pid = Daemon.program_os_pid(daemon)

      assert [_socket, "60000000", ^pid] =
               line |> String.split() |> List.update_at(2, &String.to_integer/1)

      stop(daemon)
    end
  end

  describe "a program that does not become ready" do
    test "is stopped, and the daemon fails" do
      Process.flag(:trap_exit, true)

      for {ready, text} <- [
            {:notify, "it has not sent READY=1"},
            {{:line, ~r/x/}, "no line of its output has matched"},
            {{:tcp, 1}, "nothing accepts connections on port 1 of this host"},
            {{:unix, "/no/such"}, "nothing accepts connections on /no/such"},
            {{:file, "/no/such"}, "there is no file /no/such"}
          ] do
        marker = marker()
        daemon = start!(ready: ready, ready_timeout: 50, env: [{"MARKER", marker}])
        assert_receive {:EXIT, ^daemon, %Error{step: :ready} = error}, 60_000
        assert Exception.message(error) == "cat was not ready after 50 ms: " <> text
        assert marked(marker) == []
      end
    end

    test "ends those who wait" do
      Process.flag(:trap_exit, true)
      daemon = start!("sh", ["-c", "read x; exit 3"], ready: :notify)
      task = Task.async(fn -> Daemon.await_ready(daemon) end)
      wait_until(fn -> :sys.get_state(daemon).readiness.callers != [] end)
      Daemon.write(daemon, "\n")
      assert {:error, %Error{step: :ready} = error} = Task.await(task, 60_000)
      assert Exception.message(error) == "sh exited with status 3 before it was ready"
      assert_receive {:EXIT, ^daemon, :error_exit_status}
    end

    test "may be stopped" do
      daemon = start!(ready: {:tcp, 1})
      task = Task.async(fn -> Daemon.await_ready(daemon) end)
      wait_until(fn -> :sys.get_state(daemon).readiness.callers != [] end)
      stop(daemon)
      assert Task.await(task, 60_000) == {:error, :normal}
    end
  end

  describe "start: :when_ready" do
    @describetag :tmp_dir

    test "starts the next child of a supervisor only then", %{tmp_dir: directory} do
      # Sleeps, so that a second child that does not wait would be first.
      slow = "sleep 0.3; echo one >>log; touch ready; exec sleep 1000"
      next = "echo two >>log; touch next; exec sleep 1000"

      children =
        for {id, script, file} <- [{:one, slow, "ready"}, {:two, next, "next"}] do
          opts = [cd: directory, ready: {:file, file}, start: :when_ready]
          Supervisor.child_spec({Daemon, ["sh", ["-c", script], opts]}, id: id)
        end

      {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      assert File.read!(Path.join(directory, "log")) == "one\ntwo\n"
      Supervisor.stop(supervisor)
    end

    test "returns an error, without an exit signal" do
      marker = marker()
      opts = [start: :when_ready, ready: :notify, env: [{"MARKER", marker}]]

      assert {:error, %Error{step: :ready}} =
               Daemon.start_link("sleep", ["1000"], [ready_timeout: 50, name: __MODULE__] ++ opts)

      # The name is free at once.
      assert {:error, %Error{step: :ready}} =
               Daemon.start_link("sh", ["-c", "exit 0"], [name: __MODULE__] ++ opts)

      raises = {:line, fn _line -> raise "no" end}
      opts = Keyword.put(opts, :ready, raises)
      assert {:error, {%RuntimeError{}, _stack}} = Daemon.start_link("echo", ["a"], opts)
      assert marked(marker) == []
      assert mailbox() == []
      assert Process.info(self(), :monitors) == {:monitors, []}
    end

    test "returns an error when the daemon is killed" do
      Process.flag(:trap_exit, true)
      test = self()

      opts = [
        start: :when_ready,
        ready: {:line, fn _line -> send(test, {:daemon, self()}) && false end}
      ]

      task =
        Task.async(fn ->
          Process.flag(:trap_exit, true)
          {Daemon.start_link("sh", ["-c", "echo a; exec sleep 1000"], opts), mailbox()}
        end)

      assert_receive {:daemon, daemon}, 60_000
      Process.exit(daemon, :kill)
      assert Task.await(task, 60_000) == {{:error, :killed}, []}
    end

    test "waits for :wait_for, too" do
      opts = [start: :when_ready, ready: {:line, ~r/a/}, wait_for: fn -> :ok end]
      {:ok, daemon} = Daemon.start_link("sh", ["-c", "echo a; exec sleep 1000"], opts)
      assert is_integer(Daemon.program_os_pid(daemon))
      stop(daemon)
    end

    test "delays the error of a later start", %{tmp_dir: directory} do
      # Only the second run does not become ready, and only the third one lasts.
      script = """
      echo x >>runs; runs=$(wc -l <runs)
      [ $runs -eq 2 ] && exit 1
      echo ready
      [ $runs -eq 3 ] && exec sleep 1000
      exit 1
      """

      opts = [cd: directory, ready: {:line, ~r/ready/}, start: :when_ready, restart_delay: 2_100]
      spec = {Daemon, ["sh", ["-c", script], opts]}
      intensity = [strategy: :one_for_one, max_restarts: 1, max_seconds: 1]
      {:ok, supervisor} = Supervisor.start_link([spec], intensity)
      runs = fn -> directory |> Path.join("runs") |> File.read!() |> String.length() end
      wait_until(fn -> runs.() == 6 end)
      assert [{Daemon, daemon, :worker, _}] = Supervisor.which_children(supervisor)
      assert Daemon.await_ready(daemon) == :ok
      Supervisor.stop(supervisor)
    end

    test "does not delay the error of the first start" do
      opts = [start: :when_ready, ready: :notify, restart_delay: 600_000]
      assert {:error, %Error{}} = Daemon.start_link("sh", ["-c", "exit 1"], opts)
    end
  end
end
