# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ListTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Programs
  alias MuonTrap.Test.Callback

  defp listed(owner), do: Enum.filter(MuonTrap.list(), &(&1.owner == owner))

  test "a running program is listed until it has ended" do
    test = self()

    into = %Callback{fun: fn "begun\n" -> send(test, {:listed, listed(test)}) end}
    script = "cat >/dev/null; echo begun"
    MuonTrap.cmd("sh", ["-c", script], input: "four", into: into)
    assert_received {:listed, [program]}
    assert %{kind: :cmd, command: "sh", args: ["-c", ^script], cgroup_path: nil} = program
    assert %{stdout_bytes: 6, stderr_bytes: 0, input_bytes: 4} = program
    assert is_integer(program.os_pid) and is_integer(program.program_os_pid)
    assert program.uptime_ms >= 0
    assert listed(self()) == []
  end

  test "every kind of program is listed" do
    {:ok, daemon} = MuonTrap.Daemon.start_link("sleep", ["1000"])
    {:ok, process} = MuonTrap.Process.start_link("cat", [])
    assert [%{kind: :daemon, command: "sleep"}] = listed(daemon)
    assert [%{kind: :process} = listed] = listed(process)
    assert listed.program_os_pid == MuonTrap.Process.info(process).program_os_pid

    "echo"
    |> MuonTrap.stream!(["hello"])
    |> Enum.each(fn _chunk -> assert [%{kind: :stream}] = listed(self()) end)

    GenServer.stop(daemon)
    GenServer.stop(process)
    assert Enum.flat_map([daemon, process, self()], &listed/1) == []
  end

  @tag MuonTrap.Test.Needs.needs(:subreaper)
  test "CPU time and memory are those of the program and its descendants" do
    # One child is in the background, and one is an orphan in a session of its own.
    script = "sleep 1000 & (setsid sleep 1000 &); while :; do :; done"
    {:ok, daemon} = MuonTrap.Daemon.start_link("sh", ["-c", script])

    wait_until(fn ->
      [program] = listed(daemon)
      program.processes == 3 and program.cpu_us > 0 and program.memory_bytes > 0
    end)

    GenServer.stop(daemon)
  end

  test "what could not be started is not listed" do
    assert_raise MuonTrap.Error, fn -> MuonTrap.cmd("true", [], cd: "/no/such") end
    assert listed(self()) == []
  end

  test "the entry of a killed owner is deleted" do
    {owner, monitor} = spawn_monitor(fn -> MuonTrap.cmd("sleep", ["1000"]) end)
    wait_until(fn -> listed(owner) != [] end)
    Process.exit(owner, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^owner, :killed}
    assert listed(owner) == []
    refute Enum.any?(:ets.tab2list(Programs), &match?({_id, %{owner: ^owner}}, &1))
  end
end
