# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ShellTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  test "results are those of System.shell/2" do
    for {command, opts} <- [
          {"echo hello", []},
          {"echo a; echo b >&2; exit 3", [stderr_to_stdout: true]},
          {"printf 'a b\\n' | wc -w", []},
          {"no-such-program", [stderr_to_stdout: true]},
          {"echo $A \"$B\"", [env: [{"A", "1"}, {"B", "2  3"}]]},
          {"pwd", [cd: "/"]},
          {"-x", [stderr_to_stdout: true]},
          {"echo 'a\nb' # comment", []}
        ] do
      {expected, status} = System.shell(command, opts)
      assert {output, ^status} = MuonTrap.shell(command, opts)
      assert {command, lines(output)} == {command, lines(expected)}
    end
  end

  # The message about a missing program has the number of a line in it.
  defp lines(output), do: if(is_binary(output), do: output =~ "not found" or output, else: output)

  test "what the shell has started is gone" do
    marker = marker()
    assert {"up\n", 0} = MuonTrap.shell("sleep 1000 & echo up", env: [{"MARKER", marker}])
    assert marked(marker) == []
  end

  test "exec puts the command in the place of the shell" do
    {pids, 0} = MuonTrap.shell("echo $$; exec sh -c 'echo $$'", lines: true, into: [])
    assert [pid, pid] = pids
  end

  test "options that contradict each other, and wrong arguments" do
    for {command, opts, message} <- [
          {"cat", [close_stdin: true, input: "a"], ~r/:input and "close_stdin: true"/},
          {"cat", [close_stdin: true, use_stdio: false], ~r/use_stdio: false/},
          {"cat", [close_stdin: 1], ~r/:close_stdin with value 1: expected true or false/},
          {"cat", [arg0: "a"], ~r/have it, not MuonTrap.shell\/2/},
          {"cat", [stderr: :capture], ~r/MuonTrap.shell\/2 returns one output/},
          {~c"cat", [], ~r/MuonTrap.shell\/2 expects the command to be a string/},
          {"a\0", [], ~r/null byte/},
          {"cat", %{}, ~r/keyword list for MuonTrap.shell\/2/}
        ] do
      assert_raise ArgumentError, message, fn -> MuonTrap.shell(command, opts) end
    end

    assert_raise ArgumentError, ~r/only MuonTrap.shell\/2 has it.*use input: :null/, fn ->
      MuonTrap.cmd("cat", [], close_stdin: true)
    end
  end

  # System.shell/2 has :close_stdin in newer versions of Elixir.
  test "input" do
    assert {"end\n", 0} = MuonTrap.shell("cat; echo end", close_stdin: true)
    assert {"", 0} = MuonTrap.shell("cat", input: :null, close_stdin: true)
    assert {"a", 0} = MuonTrap.shell("cat", input: "a")
  end
end
