# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.GuardTest do
  # The guards of helpers that are executed for one program each. Not async: this is a setting of the whole
  # BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Session.Guard

  setup do: MuonTrap.Test.ForkServer.without()

  test "the death of a guard is an error of the command, and the program is gone" do
    test = self()
    into = %MuonTrap.Test.Callback{fun: &send(test, {:pid, &1})}
    args = ["-c", "echo $$; exec sleep 1000"]
    task = Task.async(fn -> catch_error(MuonTrap.cmd("sh", args, into: into)) end)
    assert_receive {:pid, pid}, 5000
    [guard] = guards_of(task.pid)
    Process.exit(guard, :kill)
    assert %Error{step: :helper} = Task.await(task)
    refute pid |> String.trim() |> String.to_integer() |> alive?()
  end

  test "guards end with their commands" do
    for _ <- 1..20, do: MuonTrap.cmd("true", [])
    wait_until(fn -> guards_of(self()) == [] end)
  end

  test "a guard ends with its daemon" do
    Process.flag(:trap_exit, true)

    for stop <- [&GenServer.stop/1, &Process.exit(&1, :kill)] do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
      assert [guard] = guards_of(daemon)
      stop.(daemon)
      wait_until(fn -> not Process.alive?(guard) end)
    end
  end

  test "a daemon whose guard was killed can be restarted" do
    Process.flag(:trap_exit, true)
    args = ["-c", "exec sleep 1000 # #{marker()}"]
    {:ok, daemon} = Daemon.start_link("sh", args)
    program = Daemon.program_os_pid(daemon)
    [guard] = guards_of(daemon)
    Process.exit(guard, :kill)
    assert_receive {:EXIT, ^daemon, %Error{}}, 10_000
    refute alive?(program)
    {:ok, successor} = Daemon.start_link("sh", args)
    # Nothing of the first one is left, either.
    owners = for {_hash, owner, _guard} <- :ets.tab2list(MuonTrap.Predecessors), do: owner
    refute daemon in owners
    GenServer.stop(successor)
  end

  defp guards_of(owner) do
    for pid <- Process.list(),
        Process.info(pid, :current_function) == {:current_function, {Guard, :watch, 1}} or
          Process.info(pid, :initial_call) == {:initial_call, {Guard, :init, 1}},
        {:monitors, monitors} <- [Process.info(pid, :monitors)],
        {:process, owner} in monitors,
        do: pid
  end
end
