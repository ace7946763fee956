# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ProcessTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Process, as: Handle

  doctest MuonTrap.Process

  defp start!(command, args \\ [], opts \\ []) do
    {:ok, handle} = Handle.start_link(command, args, opts)
    handle
  end

  defp sh!(script, opts \\ []), do: start!("sh", ["-c", script], opts)

  # All output of a stream until :eof.
  defp read_all(handle, stream \\ :stdout) do
    case Handle.read(handle) do
      {:ok, {^stream, data}} -> data <> read_all(handle, stream)
      :eof -> ""
    end
  end

  defp blocked?(task), do: Task.yield(task, 0) == nil

  describe "write/3" do
    test "takes iodata, and large data while another process reads" do
      cat = start!("cat")
      data = :binary.copy("0123456789", 100_000)
      reader = Task.async(fn -> read_all(cat) end)
      assert Handle.write(cat, [data, [?x | "y"]]) == :ok
      assert Handle.write(cat, "") == :ok
      assert Handle.write(cat, []) == :ok
      assert Handle.close_input(cat) == :ok
      assert Task.await(reader, :infinity) == data <> "xy"
      assert %{input_bytes: 1_000_002, stdout_bytes: 1_000_002} = Handle.info(cat)
    end

    test "blocks while the program does not read" do
      handle = sh!("read go <$PWD/fifo; exec cat >/dev/null", cd: fifo_dir())
      task = Task.async(fn -> Handle.write(handle, :binary.copy("x", 1_000_000)) end)
      # More than the pipe holds was sent.
      wait_until(fn -> Handle.info(handle).input_bytes >= 4096 end)
      assert blocked?(task)
      assert Handle.write(handle, "late", 0) == {:error, :timeout}
      assert blocked?(task)
      File.write!(Path.join(fifo_dir(), "fifo"), "\n")
      assert Task.await(task, :infinity) == :ok
    end

    test "says that the program does not read any more" do
      handle = sh!("exec <&-; echo closed; exec sleep 1000")
      assert Handle.read_line(handle) == {:ok, {:stdout, "closed"}}
      assert Handle.write(handle, "x") == {:error, :closed}
      assert Handle.write(handle, "x") == {:error, :closed}
      assert Handle.info(handle).exit_status == nil
    end

    test "says so to a caller that waits, and to those behind it" do
      handle = sh!("sleep 1000 & echo $!; wait; exit 3")
      {:ok, {:stdout, pid}} = Handle.read_line(handle)
      tasks = for _ <- 1..3, do: Task.async(fn -> Handle.write(handle, large()) end)
      wait_until(fn -> Handle.info(handle).input_bytes > 0 end)
      {_, 0} = System.cmd("kill", [pid])
      assert Task.await_many(tasks, :infinity) == List.duplicate({:error, :closed}, 3)
      assert {:ok, %{exit_status: 3}} = Handle.await_exit(handle)
      assert Handle.write(handle, "x") == {:error, :closed}
    end

    test "does the writes of several processes one after the other" do
      cat = start!("cat")
      reader = Task.async(fn -> read_all(cat) end)

      1..20
      |> Enum.map(fn n ->
        Task.async(fn -> Handle.write(cat, :binary.copy(<<n>>, 100_000)) end)
      end)
      |> Task.await_many(:infinity)

      Handle.close_input(cat)

      runs =
        for <<first, rest::binary-size(99_999) <- Task.await(reader, :infinity)>>,
          do: {first, rest}

      assert length(runs) == 20
      for {first, rest} <- runs, do: assert(rest == :binary.copy(<<first>>, 99_999))
    end

    test "is refused if stdin is no pipe" do
      handle = start!("sleep", ["1000"], input: :null)
      assert Handle.write(handle, "x") == {:error, :closed}
      assert Handle.close_input(handle) == :ok
    end

    test "raises in the caller for what is not iodata" do
      cat = start!("cat")
      assert_raise ArgumentError, fn -> Handle.write(cat, [:no]) end
      assert Handle.write(cat, "x") == :ok
    end
  end

  describe "close_input/1" do
    test "is the end of file for the program, after what was written before" do
      wc = start!("wc", ["-c"])
      writes = for _ <- 1..5, do: Task.async(fn -> Handle.write(wc, large()) end)
      wait_until(fn -> Handle.info(wc).input_bytes > 0 end)
      Task.await_many(writes, :infinity)
      assert Handle.close_input(wc) == :ok
      assert Handle.close_input(wc) == :ok
      assert Handle.write(wc, "x") == {:error, :closed}
      assert read_all(wc) == "#{5 * byte_size(large())}\n"
    end
  end

  describe "read/2" do
    test "returns output of both streams, and :eof again and again" do
      handle = sh!("echo out; sleep 0.01; echo err >&2", stderr: :capture)
      assert Handle.read(handle) == {:ok, {:stdout, "out\n"}}
      assert Handle.read(handle) == {:ok, {:stderr, "err\n"}}
      assert Handle.read(handle) == :eof
      assert Handle.read(handle, 0) == :eof
    end

    test "works after the program has ended" do
      cat = start!("cat")
      Handle.write(cat, "hello")
      Handle.close_input(cat)
      assert {:ok, %{exit_status: 0}} = Handle.await_exit(cat)
      assert Handle.read(cat) == {:ok, {:stdout, "hello"}}
      assert Handle.read(cat) == :eof
    end

    test "loses nothing after a timeout" do
      cat = start!("cat")
      assert Handle.read(cat, 0) == {:error, :timeout}
      assert Handle.read(cat, 10) == {:error, :timeout}
      Handle.write(cat, "hello")
      assert Handle.read(cat) == {:ok, {:stdout, "hello"}}
    end

    test "serves processes in the order of their calls, and passes over dead ones" do
      cat = start!("cat")
      waiting = fn count -> wait_until(fn -> readers(cat) == count end) end
      dead = spawn(fn -> Handle.read(cat) end)
      waiting.(1)
      first = Task.async(fn -> Handle.read_line(cat) end)
      waiting.(2)
      second = Task.async(fn -> Handle.read(cat) end)
      waiting.(3)
      Process.exit(dead, :kill)
      wait_until(fn -> not Process.alive?(dead) end)
      Handle.write(cat, "a\nb")
      assert Task.await(first, :infinity) == {:ok, {:stdout, "a"}}
      assert Task.await(second, :infinity) == {:ok, {:stdout, "b"}}
    end

    test "the program waits when the window is full" do
      handle = start!("cat", ["/dev/zero"], stdio_window: 10_000)
      wait_until(fn -> Handle.info(handle).stdout_bytes >= 7_500 end)
      assert Handle.info(handle).stdout_bytes <= 10_000
      assert read_bytes(handle, 5_000_000, 10_000) >= 5_000_000
    end

    test "goes on with the smallest window" do
      handle = sh!("printf abc", stdio_window: 1)
      assert read_all(handle) == "abc"
    end
  end

  describe "read_line/2" do
    test "returns whole lines, however long, and the last without a newline" do
      long = String.duplicate("x", 100_000)
      cat = start!("cat", [], stdio_window: 1000)
      Task.async(fn -> Handle.write(cat, "a\r\n\n#{long}\nend") && Handle.close_input(cat) end)

      for line <- ["a", "", long, "end"],
          do: assert(Handle.read_line(cat) == {:ok, {:stdout, line}})

      assert Handle.read_line(cat) == :eof
    end

    test "keeps the lines of the two streams apart" do
      script = "printf one; sleep 0.01; printf 'two\\n' >&2; sleep 0.01; printf '1\\n'"
      handle = sh!(script, stderr: :capture)
      assert Handle.read_line(handle) == {:ok, {:stderr, "two"}}
      assert Handle.read_line(handle) == {:ok, {:stdout, "one1"}}
      assert Handle.read_line(handle) == :eof
    end

    test "leaves the beginning of a line after a timeout" do
      cat = start!("cat")
      Handle.write(cat, "ab")
      wait_until(fn -> Handle.info(cat).stdout_bytes == 2 end)
      assert Handle.read_line(cat, 0) == {:error, :timeout}
      Handle.write(cat, "cd\nef")
      assert Handle.read_line(cat) == {:ok, {:stdout, "abcd"}}
      assert Handle.read_line(cat, 0) == {:error, :timeout}
      assert Handle.read(cat) == {:ok, {:stdout, "ef"}}
    end
  end

  describe "signal/2" do
    test "takes names and numbers, and says when there is no program" do
      handle =
        sh!("trap 'echo usr1' USR1; trap 'echo hup' HUP; echo on; while :; do sleep 0.01; done")

      assert Handle.read_line(handle) == {:ok, {:stdout, "on"}}
      assert Handle.signal(handle, :sigusr1) == :ok
      assert Handle.read_line(handle) == {:ok, {:stdout, "usr1"}}
      assert Handle.signal(handle, 1) == :ok
      assert Handle.read_line(handle) == {:ok, {:stdout, "hup"}}
      assert Handle.signal(handle, "KILL") == :ok
      assert {:ok, %{signal: 9, exit_status: 137}} = Handle.await_exit(handle)
      assert Handle.signal(handle, :sigterm) == {:error, :exited}
    end

    test "refuses other names and numbers in the caller" do
      handle = start!("sleep", ["1000"])

      for bad <- [0, 65, :sigfoo, "", nil],
          do: assert_raise(ArgumentError, fn -> Handle.signal(handle, bad) end)
    end
  end

  describe "stop/2" do
    test "ends program, descendants and handle" do
      marker = marker()

      handle =
        sh!("sleep 1000 & trap '' TERM; echo on; while :; do sleep 1; done",
          env: [{"MARKER", marker}]
        )

      assert {:ok, {:stdout, "on\n"}} = Handle.read(handle)
      assert Handle.stop(handle, 0) == {:error, :timeout}
      assert {:ok, %{signal: 9, sigkill_needed: true}} = Handle.stop(handle)
      refute Process.alive?(handle)
      assert marked(marker) == []
    end

    test "does not wait for output that nobody reads" do
      handle = start!("cat", ["/dev/zero"])
      wait_until(fn -> Handle.info(handle).stdout_bytes > 90_000 end)
      assert {:ok, %{signal: 15}} = Handle.stop(handle)
    end

    test "works after the program has ended" do
      handle = sh!("exit 3")
      assert {:ok, %{exit_status: 3} = result} = Handle.await_exit(handle)
      assert Handle.stop(handle) == {:ok, result}
      refute Process.alive?(handle)
    end
  end

  describe "await_exit/2" do
    test "tells any number of processes, also later" do
      handle = sh!("read line; exit 7")
      tasks = for _ <- 1..5, do: Task.async(fn -> Handle.await_exit(handle) end)
      assert Handle.await_exit(handle, 0) == {:error, :timeout}
      Handle.write(handle, "\n")

      for task <- tasks,
          do: assert({:ok, %{exit_status: 7, input_bytes: 1}} = Task.await(task, :infinity))

      assert {:ok, %{exit_status: 7}} = Handle.await_exit(handle, 0)
    end
  end

  describe "the program ends" do
    @tag :capture_log
    test "when its owner ends, normally or not" do
      for reason <- [:normal, :crash, :kill] do
        test = self()

        owner =
          spawn(fn ->
            handle = start!("sleep", ["1000"])
            send(test, {:program, Handle.info(handle).program_os_pid, handle})
            receive do: (:end -> if(reason != :normal, do: exit(reason)))
          end)

        assert_receive {:program, program, handle}
        if reason == :kill, do: Process.exit(owner, :kill), else: send(owner, :end)
        wait_until(fn -> not alive?(program) and not Process.alive?(handle) end)
      end
    end

    test "when its handle is killed" do
      Process.flag(:trap_exit, true)
      handle = start!("sleep", ["1000"])
      program = Handle.info(handle).program_os_pid
      Process.exit(handle, :kill)
      assert_receive {:EXIT, ^handle, :killed}
      wait_until(fn -> not alive?(program) end)
    end

    @tag :capture_log
    test "with its session, which stops handle and callers with an error" do
      Process.flag(:trap_exit, true)
      handle = start!("sleep", ["1000"])
      %{os_pid: session, program_os_pid: program} = Handle.info(handle)

      caller = spawn_monitor(fn -> exit(catch_exit(Handle.read(handle))) end)

      wait_until(fn -> readers(handle) == 1 end)
      {_, 0} = System.cmd("kill", ["-9", "#{session}"])
      assert_receive {:EXIT, ^handle, %MuonTrap.Error{step: :helper}}
      {pid, ref} = caller

      assert_receive {:DOWN, ^ref, :process, ^pid, {%MuonTrap.Error{}, {Handle, :read, _}}}

      refute alive?(program)
    end
  end

  describe "a timeout" do
    test "that is invalid raises in the caller" do
      cat = start!("cat")

      calls = [
        &Handle.write(cat, "x", &1),
        &Handle.read(cat, &1),
        &Handle.read_line(cat, &1),
        &Handle.await_exit(cat, &1),
        &Handle.stop(cat, &1)
      ]

      for call <- calls,
          bad <- [nil, -1, 1.5, 0x1_0000_0000],
          do: assert_raise(ArgumentError, ~r/timeout/, fn -> call.(bad) end)

      assert Handle.write(cat, "x", 0xFFFF_FFFF) == :ok
    end

    test "of stop/2 does not keep the handle from stopping" do
      Process.flag(:trap_exit, true)
      handle = sh!("trap '' TERM; echo on; while :; do sleep 0.1; done", delay_to_sigkill: 500)
      assert Handle.read_line(handle) == {:ok, {:stdout, "on"}}
      assert Handle.stop(handle, 0) == {:error, :timeout}
      assert_receive {:EXIT, ^handle, :normal}
    end
  end

  describe "info/1" do
    test "tells about the program, never its environment" do
      handle = start!("cat", ["-u"], env: [{"SECRET", "hunter2"}], stderr: :capture)
      info = Handle.info(handle)
      assert %{command: "cat", args: ["-u"], input_bytes: 0, stderr_bytes: 0} = info
      assert %{exit_status: nil, signal: nil, cgroup_path: nil} = info
      assert parent(info.program_os_pid) == info.os_pid
      assert info.uptime_ms >= 0
      refute inspect(info) =~ "hunter2"
      Handle.signal(handle, :sigterm)
      Handle.await_exit(handle)
      assert %{exit_status: 143, signal: 15} = Handle.info(handle)
    end

    test "nor do reports and :sys.get_status/1, or what was written and read" do
      handle = start!("cat", [], env: [{"SECRET", "hunter2"}])
      Handle.write(handle, "hunter2")
      wait_until(fn -> Handle.info(handle).stdout_bytes > 0 end)
      :sys.suspend(handle)
      {writer, ref} = spawn_monitor(fn -> Handle.write(handle, "hunter2") end)
      wait_until(fn -> Process.info(handle, :message_queue_len) != {:message_queue_len, 0} end)
      refute inspect(:sys.get_status(handle), limit: :infinity) =~ "hunter2"
      Process.unlink(handle)
      Process.exit(handle, :kill)
      assert_receive {:DOWN, ^ref, :process, ^writer, reason}
      refute inspect(reason) =~ "hunter2"
    end
  end

  test "a crash report does not have what was written" do
    data = [["hunter2"], "x"]

    for message <- [{:write, data, 1}, {:"$gen_call", {self(), make_ref()}, {:write, data, 1}}],
        status <- [%{message: message}, %{queue: [message]}] do
      refute inspect(MuonTrap.Status.format(status, & &1), limit: :infinity) =~ "hunter2"
    end

    assert MuonTrap.Status.format(%{message: {:write, data, 1}}, & &1) ==
             %{message: {:write, "8 bytes", 1}}
  end

  defp readers(handle), do: handle |> :sys.get_state() |> Map.fetch!(:readers) |> :queue.len()

  defp read_bytes(_handle, left, _window) when left <= 0, do: -left + 5_000_000

  defp read_bytes(handle, left, window) do
    {:ok, {:stdout, data}} = Handle.read(handle)
    assert byte_size(data) <= window
    read_bytes(handle, left - byte_size(data), window)
  end

  defp large, do: :binary.copy("x", 300_000)

  defp fifo_dir do
    dir = Process.get(:fifo_dir) || Path.join(System.tmp_dir!(), marker())

    if Process.put(:fifo_dir, dir) == nil do
      File.mkdir_p!(dir)
      {_, 0} = System.cmd("mkfifo", [Path.join(dir, "fifo")])
      on_exit(fn -> File.rm_rf!(dir) end)
    end

    dir
  end
end
