# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CollectableFailureTest do
  # A Collectable that fails in each of its functions, in every way and at every moment. cmd/3 and run/3
  # end with that error, and no process of the program is left.
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Test.{FailingCollector, Failure}

  @moduletag :capture_log

  # Lets the function fail, and checks the consequences.
  defp fails(context, script, opts \\ [], meanwhile \\ fn _caller -> :ok end) do
    %{failure: failure, run: run} = context
    marker = marker()
    into = %FailingCollector{test: self(), failure: failure, on: opts[:on]}
    opts = [into: into, env: [{"MARKER", marker}]] ++ Keyword.delete(opts, :on)
    on_exit(fn -> kill_marked(marker) end)

    {caller, ref} =
      spawn_monitor(fn ->
        run.("sh", ["-c", script], opts)
        exit(:returned)
      end)

    meanwhile.(caller)
    ^caller = Failure.await_call()
    Failure.go(caller)
    if failure == :never_returns, do: Process.exit(caller, :kill)
    assert_receive {:DOWN, ^ref, :process, ^caller, reason}
    assert Failure.reason?(failure, reason), inspect(reason)

    # Nothing else happened while the function was running.
    if failure in [:killed, :never_returns],
      do: wait_until(fn -> marked(marker) == [] end),
      else: assert(marked(marker) == [])
  end

  defp await_line(line), do: fn _caller -> assert_receive({:line, ^line}) end

  for failure <- Failure.all(), {name, run} <- [cmd: &MuonTrap.cmd/3, run: &MuonTrap.run/3] do
    describe "a collectable of #{name}/3 that fails (#{failure})" do
      @describetag failure: failure, run: run
      @caught? failure in [:raise, :throw, :exit, :exit_kill]

      test "with the first chunk", context do
        fails(context, "echo fail; exec sleep 1000")
        if @caught?, do: assert_received(:halted)
      end

      test "with a line in the middle of a chunk", context do
        script = "printf 'one\\nfail\\nlast\\nmore'; exec sleep 1000"
        fails(context, script, lines: 1024)
        refute_received {:line, "last"}
        if @caught?, do: assert_received(:halted)
      end

      test "with a program that goes on writing", context do
        fails(context, "echo fail; exec yes", lines: 1024, stdio_window: 1000)
      end

      test "with the last line, which has no newline", context do
        fails(context, "printf fail", lines: 1024)
        if @caught?, do: assert_received(:halted)
      end

      test "with a line that comes after the program has exited", context do
        fails(context, "echo wait $$; echo fail", lines: 1024)
      end

      test "with output that comes after the timeout", context do
        script = "trap 'echo fail; exit' TERM; echo ready; while :; do sleep 0.01; done"
        opts = [lines: 1024, timeout: 2000, delay_to_sigkill: 60_000]
        fails(context, script, opts, await_line("ready"))
      end

      test "before the program is started", context do
        fails(context, "exec sleep 1000", on: :into)
      end

      test "at the end of the output", context do
        fails(context, "sleep 1000 & echo done", on: :done)
      end

      test "when it is halted because of another failure", context do
        for script <- ["kill -KILL $PPID; exec sleep 1000", "echo a; kill -KILL $PPID; exec yes"],
            do: fails(context, script, on: :halt)

        fails(context, "exec sleep 1000", on: :halt, cd: "/no/such/directory")
      end
    end
  end
end
