# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.EndingTest do
  # The ways in which a command can end before its program exits by itself.
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  # Longer than any program here takes to start, also on a busy machine.
  @long_enough 3000

  defp sh(script, opts \\ []), do: MuonTrap.cmd("sh", ["-c", script], opts)

  # Runs `fun`, trapping exits or not, and checks that it leaves the mailbox as it was.
  defp leaving_the_mailbox_alone(fun) do
    for trap <- [false, true] do
      Process.flag(:trap_exit, trap)
      send(self(), {:before, trap})
      before = mailbox()
      fun.()
      assert mailbox() == before
      assert Process.info(self(), :links) == {:links, []} or trap
      assert Process.info(self(), :monitors) == {:monitors, []}
    end

    Process.flag(:trap_exit, false)
  end

  describe "a timeout" do
    test "stops all processes, and keeps the output so far" do
      marker = marker()
      script = "echo begun; sleep 1000 & setsid sleep 1000 & sleep 1000"
      opts = [timeout: @long_enough, env: [{"MARKER", marker}]]
      assert sh(script, opts) == {"begun\n", :timeout}
      assert marked(marker) == []
    end

    test "kills a program that ignores the stop signal" do
      script = "trap '' TERM; while :; do sleep 1000; done"
      opts = [timeout: @long_enough, delay_to_sigkill: 50]
      result = MuonTrap.run("sh", ["-c", script], opts)
      assert %{exit_status: :timeout, sigkill_needed: true} = result
    end

    test "ends a program that never pauses" do
      into = %MuonTrap.Test.Callback{fun: fn _chunk -> Process.put(:has_output, true) end}
      assert MuonTrap.cmd("yes", [], timeout: @long_enough, into: into) == {:done, :timeout}
      assert Process.get(:has_output)
    end

    test "keeps the last output of the program" do
      script = "trap 'echo bye; exit 3' INT; echo hi; while :; do sleep 0.01; done"

      opts = [timeout: @long_enough, stop_signal: :sigint, lines: 100, into: []]
      assert sh(script, opts) == {["hi", "bye"], :timeout}
    end

    test "that is not reached has no effect" do
      assert sh("echo a", timeout: 60_000) == {"a\n", 0}
    end
  end

  describe "the mailbox of the caller" do
    test "is left as it was by commands of all kinds" do
      leaving_the_mailbox_alone(&commands_of_all_kinds/0)
    end

    test "is left as it was if it is crowded, too" do
      for n <- 1..2000, do: send(self(), n)
      leaving_the_mailbox_alone(&commands_of_all_kinds/0)
    end

    defp commands_of_all_kinds do
      assert {"a\n", 0} = sh("echo a")
      assert {_, 137} = sh("kill -KILL $$")
      assert {_, :timeout} = sh("sleep 1000", timeout: 50)
      assert {_, :timeout} = MuonTrap.cmd("yes", [], timeout: 50)
      assert sh("seq 1 3", lines: 1, into: [], stdio_window: 1) == {["1", "2", "3"], 0}
      assert_raise ErlangError, fn -> MuonTrap.cmd("/no/such/program", []) end
      assert_raise MuonTrap.Error, fn -> sh("true", cd: "/no/such/directory") end

      error = assert_raise MuonTrap.Error, fn -> sh("kill -KILL $PPID; exec sleep 1000") end
      assert error.exit_status == 137

      into = %MuonTrap.Test.Callback{fun: fn _chunk -> raise "no" end}
      assert_raise RuntimeError, fn -> sh("yes", into: into) end
      assert_raise RuntimeError, fn -> sh("printf a", into: into, lines: 1) end
    end

    @tag :tmp_dir
    test "may be crowded when the caller dies", %{tmp_dir: directory} do
      file = Path.join(directory, "pid")

      caller =
        spawn(fn ->
          for n <- 1..2000, do: send(self(), n)
          sh("echo $$ >'#{file}'; exec sleep 1000")
        end)

      pid = await_pid(file)
      Process.exit(caller, :kill)
      await_gone(pid)
    end
  end

  defp failing(fun), do: %MuonTrap.Test.Callback{fun: fun, owner: self()}

  describe "a collectable that fails" do
    for {kind, code} <- [error: "raise \"no\"", throw: "throw(:no)", exit: "exit(:no)"] do
      test "by #{kind} stops the program first" do
        marker = marker()
        into = failing(fn _chunk -> unquote(Code.string_to_quoted!(code)) end)
        script = "echo a; echo b; exec sleep 1000"

        caught =
          try do
            sh(script, into: into, env: [{"MARKER", marker}])
          catch
            kind, reason -> {kind, reason}
          end

        assert marked(marker) == []
        assert {unquote(kind), _reason} = caught
        assert_received :halted
      end
    end

    test "on the last line, when the program is gone" do
      into = failing(fn _chunk -> raise "no" end)
      assert_raise RuntimeError, fn -> sh("printf a", into: into, lines: 10) end
      assert_received :halted
    end

    test "while the program is blocked in a write" do
      into = failing(fn _chunk -> raise "no" end)
      assert_raise RuntimeError, fn -> MuonTrap.cmd("yes", [], into: into, stdio_window: 1) end
    end
  end

  describe "the death of" do
    @tag :tmp_dir
    test "the caller stops the program", %{tmp_dir: directory} do
      file = Path.join(directory, "pid")
      caller = spawn(fn -> sh("echo $$ >'#{file}'; exec sleep 1000") end)
      pid = await_pid(file)
      helper = parent(pid)
      Process.exit(caller, :kill)
      await_gone(pid)
      await_gone(helper)
    end

    test "the helper is an error, and the program is gone" do
      {task, pid} = failing_task("echo $$; exec sleep 1000")
      kill(parent(pid), "KILL")
      error = Task.await(task, :infinity)
      refute alive?(pid)
      assert %MuonTrap.Error{step: :helper, exit_status: 137} = error
      message = "muontrap was killed while it ran the program with pid #{pid}"
      assert Exception.message(error) == message
    end

    test "the helper ends the process group of the program" do
      marker = marker()
      script = "sleep 1000 & sleep 1000 & echo $$; wait"
      {task, pid} = failing_task(script, env: [{"MARKER", marker}])
      kill(parent(pid), "KILL")
      assert %MuonTrap.Error{step: :helper} = Task.await(task, :infinity)
      wait_until(fn -> marked(marker) == [] end)
    end

    # A task with a command that will fail, and the pid that its program writes.
    defp failing_task(script, opts \\ []) do
      test = self()
      into = %MuonTrap.Test.Callback{fun: &send(test, {:pid, &1})}
      task = Task.async(fn -> catch_error(sh(script, [into: into] ++ opts)) end)
      assert_receive {:pid, pid}
      {task, pid |> String.trim() |> String.to_integer()}
    end
  end
end
