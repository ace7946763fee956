# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.LimitsTest do
  # Limits of the host. Not async: they affect the fork server of the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.Error
  alias MuonTrap.Test.ForkServer

  @moduletag :capture_log
  @skip if(not ForkServer.used?(), do: "needs the fork server")

  @tag skip: @skip
  test "an environment that is too long is an error of the command, and the fork server goes on" do
    MuonTrap.cmd("true", [])
    server = ForkServer.os_pid()
    with_environment(12_000_000, fn -> assert_too_long(:exec) end)
    assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
    assert ForkServer.os_pid() == server
  end

  @tag skip: @skip
  test "an environment that is too long to execute the fork server is reported as such" do
    kill(ForkServer.os_pid(), "KILL")

    with_environment(12_000_000, fn ->
      wait_until(fn -> match?(%{step: :helper}, catch_error(MuonTrap.cmd("true", []))) end)
      error = assert_too_long(:helper)
      assert error.advice =~ "environment of the BEAM"
    end)

    assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
  end

  test "an option :env that is too long is an error of the command" do
    env = for n <- 1..120, do: {"LONG_#{n}", String.duplicate("x", 100_000)}
    error = catch_error(MuonTrap.cmd("true", [], env: env))
    assert %Error{step: :exec, errno: :e2big, path: "true", exit_status: 126} = error
    assert Exception.message(error) =~ "arguments and environment of true are too long"
  end

  # A variable has at most 128 KiB.
  defp with_environment(bytes, fun) do
    names = for n <- 1..div(bytes, 100_000), do: "MUONTRAP_TEST_#{n}"
    Enum.each(names, &System.put_env(&1, String.duplicate("x", 100_000)))

    try do
      fun.()
    after
      Enum.each(names, &System.delete_env/1)
    end
  end

  defp assert_too_long(step) do
    error = catch_error(MuonTrap.cmd("true", []))
    assert %Error{step: ^step, errno: :e2big} = error
    error
  end
end
