# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.InputFailureTest do
  # An Enumerable for :input that fails, in each of its functions and in every way: cmd/3 ends with
  # that error, and nothing is left of the program.
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Test.{Callback, Failure}

  @moduletag :capture_log

  # Fails in its start function, at the first or a later element, or in its after function.
  defp failing(failure, on, test, line \\ "line\n") do
    fail = fn -> Failure.fail(failure, test) end

    Stream.resource(
      fn -> if on == :start, do: fail.(), else: 1 end,
      fn
        n when n == on -> fail.()
        100 -> {:halt, 100}
        n -> {[line], n + 1}
      end,
      fn _n -> if on == :after, do: fail.(), else: send(test, :after) end
    )
  end

  defp fails(failure, on, script, opts \\ []) do
    test = self()
    marker = marker()
    opts = Keyword.put_new(opts, :input, failing(failure, on, test))
    into = %Callback{fun: fn _ -> :ok end, owner: test}
    opts = [into: into, env: [{"MARKER", marker}]] ++ opts

    {caller, ref} =
      spawn_monitor(fn ->
        MuonTrap.cmd("sh", ["-c", "sleep 1000 & " <> script], opts)
        exit(:returned)
      end)

    ^caller = Failure.await_call()
    Failure.go(caller)
    if failure == :never_returns, do: Process.exit(caller, :kill)
    assert_receive {:DOWN, ^ref, :process, ^caller, reason}
    assert Failure.reason?(failure, reason), inspect(reason)

    if failure in [:killed, :never_returns],
      do: wait_until(fn -> marked(marker) == [] end),
      else: assert(marked(marker) == [])
  end

  for failure <- Failure.all() do
    @caught? failure in [:raise, :throw, :exit, :exit_kill]

    test "at its start (#{failure})" do
      fails(unquote(failure), :start, "exec sleep 1000")
      if @caught?, do: assert_received(:halted)
    end

    test "at its first element (#{failure})" do
      fails(unquote(failure), 1, "exec sleep 1000")
      if @caught?, do: assert_received(:halted)
      if @caught?, do: assert_received(:after)
      refute_received :after
    end

    test "later, with output on its way (#{failure})" do
      fails(unquote(failure), 50, "exec yes", stdio_window: 100)
      if @caught?, do: assert_received(:halted)
      if @caught?, do: assert_received(:after)
    end

    test "at its end (#{failure})" do
      fails(unquote(failure), :after, "exec cat")
      if @caught?, do: assert_received(:halted)
    end

    test "when the program reads no more (#{failure})" do
      fails(unquote(failure), :after, "exec <&-; exec sleep 1000")
      if @caught?, do: assert_received(:halted)
    end
  end

  test "when it is halted at the timeout" do
    # All of it is more than fits between the caller and the program.
    input = failing(:exit, :after, self(), String.duplicate("x", 10_000))
    # So long that the program has been started by then.
    fails(:exit, :after, "exec sleep 1000", timeout: 3000, input: input)
  end

  test "a Collectable that fails has the Enumerable halted" do
    test = self()
    input = Stream.resource(fn -> nil end, &{["x\n"], &1}, fn _ -> send(test, :after) end)
    into = %Callback{fun: fn _ -> throw(:full) end, owner: test}
    assert catch_throw(MuonTrap.cmd("cat", [], input: input, into: into)) == :full
    assert_received :after
    assert_received :halted
  end

  test "an Enumerable that fails when it is halted because a Collectable has failed" do
    input = Stream.resource(fn -> nil end, &{["x\n"], &1}, fn _ -> raise "after" end)
    into = %Callback{fun: fn _ -> throw(:full) end, owner: self()}
    marker = marker()
    opts = [input: input, into: into]
    run = fn -> MuonTrap.cmd("sh", ["-c", "exec cat", marker], opts) end
    catch_error(run.())
    assert_received :halted
    assert marked(marker) == []
  end

  test "a helper that is killed has the Enumerable halted" do
    test = self()
    input = Stream.resource(fn -> nil end, &{["x\n"], &1}, fn _ -> send(test, :after) end)
    script = "read line; kill -KILL $PPID; exec sleep 1000"
    error = catch_error(MuonTrap.cmd("sh", ["-c", script], input: input))
    assert %MuonTrap.Error{step: :helper} = error
    assert_received :after
  end
end
