# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonFailureTest do
  # Functions of the user that fail in every way and at every moment. The daemon stops with that error and
  # is restarted, and no process of the program is left.
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Daemon
  alias MuonTrap.Test.Failure

  @moduletag :capture_log
  @moduletag :tmp_dir

  # Long enough for a daemon that stops by itself, and short for one that has to be killed.
  @shutdown %{never_returns: 50}

  # The functions find the test process by this name, since {module, function} has no arguments.
  setup do
    Process.register(self(), __MODULE__)
    Process.flag(:trap_exit, true)
    :ok
  end

  @doc false
  # The line is the way to fail.
  def logged("fail " <> failure), do: Failure.fail(failure, __MODULE__)

  # Or a file to wait for.
  def logged("wait for " <> pid) do
    pid |> String.to_integer() |> await_gone()
    ""
  end

  def logged(line) do
    send(__MODULE__, {:line, line})
    line
  end

  @doc false
  def logged(line, stream) when stream in [:argument, :stdout, :stderr], do: logged(line)

  @doc false
  def chunk(chunk, _stream), do: chunk(chunk)

  @doc false
  def chunk(chunk), do: chunk |> String.split("\n", trim: true) |> Enum.each(&logged/1)

  # Returns a supervisor and its daemon. The program runs the script at first, and only sleeps after a
  # restart.
  defp start(context, script, failure, opts) do
    to_stderr = if opts[:stdout] == :discard, do: "exec >&2; ", else: ""
    script = "[ -e started ] && exec sleep 1000; >started; " <> to_stderr <> script
    marker = marker()
    opts = [cd: context.tmp_dir, delay_to_sigkill: 10_000, env: [{"MARKER", marker}]] ++ opts
    shutdown = Map.get(@shutdown, failure, 20_000)
    spec = Supervisor.child_spec({Daemon, ["sh", ["-c", script], opts]}, shutdown: shutdown)
    {:ok, supervisor} = Supervisor.start_link([], strategy: :one_for_one, max_restarts: 1)
    {:ok, daemon} = Supervisor.start_child(supervisor, spec)
    ref = Process.monitor(daemon)
    %{supervisor: supervisor, daemon: daemon, marker: marker, ref: ref, failure: failure}
  end

  # Lets the function fail, and checks the consequences.
  defp fails(failure, started) do
    Failure.go(Failure.await_call())
    # A function that hangs is killed by the supervisor.
    if failure == :never_returns, do: terminate(started)
    ends(failure, started)
    if failure == :never_returns, do: restart(started)
    await_restart(started)
  end

  defp ends(failure, %{ref: ref, daemon: daemon}) do
    assert_receive {:DOWN, ^ref, :process, ^daemon, reason}
    assert Failure.reason?(failure, reason), inspect(reason)
  end

  defp terminate(started), do: :ok = Supervisor.terminate_child(started.supervisor, Daemon)
  defp restart(started), do: {:ok, _} = Supervisor.restart_child(started.supervisor, Daemon)

  # Only the program of the second daemon is running. After stopping it, none is left.
  defp await_restart(started) do
    program =
      wait_until(fn ->
        with [{Daemon, daemon, _, _}] when is_pid(daemon) and daemon != started.daemon <-
               Supervisor.which_children(started.supervisor),
             program when is_integer(program) <- Daemon.program_os_pid(daemon),
             do: program,
             else: (_not_yet -> nil)
      end)

    # During execve(2), a process has no environment.
    wait_until(fn -> name(program) == "sleep" and program in marked(started.marker) end)
    assert marked(started.marker) == [program]
    Supervisor.stop(started.supervisor)

    # The program of a killed daemon ends a moment later.
    if started.failure == :never_returns,
      do: wait_until(fn -> marked(started.marker) == [] end),
      else: assert(marked(started.marker) == [])
  end

  @forms [
    function: [logger_fun: {:function}],
    module_function: [logger_fun: {__MODULE__, :logged}],
    module_function_args: [logger_fun: {__MODULE__, :logged, [:argument]}],
    log_transform: [log_output: :info, log_transform: {:function}],
    function_of_two: [logger_fun: {:function_of_two}, stdout: :discard],
    output_fun: [output_fun: {:chunk}],
    output_fun_of_two: [output_fun: {:chunk_of_two}, stdout: :discard]
  ]

  # Those that are not called with the rest of a line at the end.
  @of_chunks [:output_fun, :output_fun_of_two]

  for {form, opts} <- @forms, failure <- Failure.all() do
    describe "#{form} that fails (#{failure})" do
      @opts opts
      @failure failure

      test "on the first line", context do
        started = start(context, "echo fail #{@failure}; exec sleep 1000", @failure, opts(@opts))
        fails(@failure, started)
      end

      test "on a line in the middle of a chunk", context do
        script = "printf 'one\\nfail #{@failure}\\nlast\\nmore'; exec sleep 1000"
        started = start(context, script, @failure, opts(@opts))
        fails(@failure, started)
        refute_received {:line, "last"}
      end

      test "with a program that goes on writing", context do
        script = "echo fail #{@failure}; exec yes"
        started = start(context, script, @failure, [stdio_window: 1000] ++ opts(@opts))
        fails(@failure, started)
      end

      test "on the last line, which has no newline", context do
        started = start(context, "printf 'fail #{@failure}'", @failure, opts(@opts))
        fails(@failure, started)
      end

      test "on a line that comes after the program has exited", context do
        script = "echo wait for $$; echo fail #{@failure}"
        started = start(context, script, @failure, opts(@opts))
        fails(@failure, started)
      end

      test "while the daemon stops", context do
        for line <- ["echo fail #{@failure}; sleep 0.01", ~s(printf "fail #{@failure}")] do
          File.rm(Path.join(context.tmp_dir, "started"))
          trap = "trap '#{line}; exit' TERM; echo ready; while :; do sleep 0.01; done"
          # The function may be called late.
          started = start(context, trap, :while_stopping, opts(@opts))
          assert_receive {:line, "ready"}
          stopper = Task.async(fn -> terminate(started) end)
          Failure.go(Failure.await_call())
          if @failure == :never_returns, do: Process.exit(started.daemon, :kill)
          ends(@failure, started)
          Task.await(stopper, :infinity)
          restart(started)
          await_restart(started)
        end
      end

      if form not in @of_chunks do
        test "after the helper was killed", context do
          script = "printf 'fail #{@failure}'; exec sleep 1000"
          started = start(context, script, @failure, opts(@opts))
          wait_until(fn -> Daemon.statistics(started.daemon).output_byte_count > 0 end)
          kill(Daemon.os_pid(started.daemon), "KILL")
          fails(@failure, started)
        end
      end
    end
  end

  defp opts(opts) do
    functions = %{
      {:function} => &logged/1,
      {:function_of_two} => &logged/2,
      {:chunk} => &chunk/1,
      {:chunk_of_two} => &chunk/2
    }

    for {key, value} <- opts, do: {key, Map.get(functions, value, value)}
  end

  for failure <- Failure.all() do
    @failure failure

    test "exit_status_to_reason that fails (#{failure})", context do
      to_reason = fn 4 -> Failure.fail(@failure, __MODULE__) end
      started = start(context, "exit 4", @failure, exit_status_to_reason: to_reason)
      fails(@failure, started)
    end

    test "wait_for that fails (#{failure})", context do
      waited = Path.join(context.tmp_dir, "waited")

      wait_for = fn ->
        first? = not File.exists?(waited)
        File.write!(waited, "")
        if first?, do: Failure.fail(@failure, __MODULE__)
      end

      fails(@failure, start(context, "exec sleep 1000", @failure, wait_for: wait_for))
    end

    # unregister_name is called when the program is gone.
    for {function, command} <- [
          register_name: "sleep",
          whereis_name: "sleep",
          unregister_name: "/no/such/program"
        ] do
      test "#{function} of a :via name that fails (#{failure})", context do
        marker = marker()
        name = {:via, __MODULE__.Names, {unquote(function), @failure}}
        opts = [name: name, env: [{"MARKER", marker}], cd: context.tmp_dir]

        {caller, ref} =
          spawn_monitor(fn ->
            Process.flag(:trap_exit, true)
            result = Daemon.start_link(unquote(command), ["1000"], opts)

            exit(
              {:returned, result,
               for({tag, _} = told when is_reference(tag) <- mailbox(), do: told)}
            )
          end)

        Failure.go(Failure.await_call())
        if @failure == :never_returns, do: Process.exit(caller, :kill)
        assert_receive {:DOWN, ^ref, :process, ^caller, reason}

        case reason do
          {:returned, result, told} ->
            assert {:error, error} = result
            assert error == :enoent or Failure.reason?(@failure, error)
            assert told == []

          reason ->
            assert Failure.reason?(@failure, reason)
        end

        wait_until(fn -> marked(marker) == [] end)
      end
    end
  end

  test "exit_status_to_reason is not called when the daemon is stopped", context do
    to_reason = fn _status -> send(__MODULE__, :called) end
    started = start(context, "exec sleep 1000", :none, exit_status_to_reason: to_reason)
    wait_until(fn -> name(Daemon.program_os_pid(started.daemon)) == "sleep" end)
    terminate(started)
    refute_received :called
    Supervisor.stop(started.supervisor)
  end

  defmodule Names do
    # Fails in one of its functions.
    @moduledoc false

    @test MuonTrap.DaemonFailureTest

    def register_name({:register_name, failure}, _pid), do: Failure.fail(failure, @test)
    def register_name(_name, _pid), do: :yes

    def whereis_name({:whereis_name, failure}), do: Failure.fail(failure, @test)
    def whereis_name(_name), do: :undefined

    def unregister_name({:unregister_name, failure}), do: Failure.fail(failure, @test)
    def unregister_name(_name), do: :ok

    def send(_name, _message), do: exit(:no_such_name)
  end
end
