# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupFrozenTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}

  @moduletag :capture_log
  @moduletag needs(cgroups: [])

  @with_freezer ["freezer", "pids"]

  test "a program is frozen and thawed by cgset, and a frozen program can be stopped" do
    with_group(fn group ->
      daemon = start_daemon!(group)
      assert :ok = Daemon.cgset(daemon, "cgroup.freeze", 1)
      wait_until(fn -> Daemon.cgget!(daemon, "freezer.state") == "FROZEN" end)
      assert :ok = Daemon.cgset(daemon, "freezer.state", "THAWED")
      wait_until(fn -> Daemon.cgget!(daemon, "cgroup.freeze") == "0" end)
      assert :ok = Daemon.cgset(daemon, "cgroup.freeze", 1)
      members = members(group)
      GenServer.stop(daemon)
      assert Enum.filter(members, &alive?/1) == []
      assert directories(group) == []
    end)
  end

  # With the available controllers, and with the freezer of v1, which holds processes even after SIGKILL. On a
  # hybrid host, the freezer is used only together with another controller of v1.
  defp ways_to_freeze do
    on_v1? = Enum.all?(@with_freezer, &(version(&1) == :v1))
    if on_v1?, do: [[], @with_freezer], else: [[]]
  end

  test "a frozen program handles the stop signal" do
    for controllers <- ways_to_freeze() do
      with_group(controllers, fn group ->
        test = self()
        script = "trap 'echo bye; exit 0' TERM; echo begun; while :; do sleep 0.1; done"
        opts = [cgroup_path: group, cgroup_controllers: controllers]
        opts = [logger_fun: &send(test, {:line, &1}), delay_to_sigkill: 60_000] ++ opts
        {:ok, daemon} = Daemon.start_link("sh", ["-c", script], opts)
        assert_receive {:line, "begun"}
        :ok = Daemon.cgset(daemon, "cgroup.freeze", 1)
        wait_until(fn -> Daemon.cgget!(daemon, "freezer.state") == "FROZEN" end)
        assert GenServer.stop(daemon) == :ok
        assert_received {:line, "bye"}
        assert directories(group) == []
      end)
    end
  end

  # Freezes a group in the hierarchy that has the freezer, and thaws it at the end of the test.
  defp freeze(group, frozen?) do
    if path = file(group, "freezer.state") do
      File.write!(path, if(frozen?, do: "FROZEN", else: "THAWED"))
      on_exit(fn -> File.write(path, "THAWED") end)
    else
      File.write!(file(group, "cgroup.freeze"), if(frozen?, do: "1", else: "0"))
    end
  end

  test "a program cannot be started below a frozen group" do
    for controllers <- ways_to_freeze() do
      with_group(controllers, fn group ->
        opts = [cgroup_path: group <> "/x", cgroup_controllers: controllers]
        assert MuonTrap.cmd("true", [], opts) == {"", 0}
        freeze(group, true)
        error = assert_raise Error, fn -> MuonTrap.cmd("true", [], opts) end
        assert %{step: :cgroup, errno: :ebusy} = error
        assert error.message =~ "cannot start while a group above it is frozen: " <> error.path
        assert error.path in [file(group, "freezer.state"), file(group, "cgroup.freeze")]
        assert below(group) == []
        freeze(group, false)
        assert MuonTrap.cmd("true", [], opts) == {"", 0}
      end)
    end
  end

  # The fork server waits for nothing that another session has left, and does not report it as left by this one.
  defp assert_others_unaffected do
    command = fn -> MuonTrap.cmd("sh", ["-c", "kill -KILL $PPID; exec sleep 1000"]) end
    assert %Error{step: :helper, advice: nil} = catch_error(command.())
  end

  @tag needs(cgroups: @with_freezer)
  test "stopping a program below a frozen group is an error, and the program ends when the group is thawed" do
    for @with_freezer = controllers <- ways_to_freeze() do
      with_group(controllers, fn group ->
        Process.flag(:trap_exit, true)
        opts = [delay_to_sigkill: 100, cgroup_controllers: controllers]
        daemon = start_daemon!(group <> "/x", opts)
        members = members(group)
        freeze(group, true)
        assert {%Error{} = error, _} = catch_exit(GenServer.stop(daemon))
        assert %{step: :cgroup, errno: :ebusy} = error
        assert error.message =~ "cannot end while a group above it is frozen: " <> error.path
        assert error.path == file(group, "freezer.state")
        assert_others_unaffected()
        freeze(group, false)
        wait_until(fn -> not Enum.any?(members, &alive?/1) end)

        test = self()
        into = %MuonTrap.Test.Callback{fun: fn _ -> send(test, freeze(group, true)) end}
        opts = [cgroup_path: group <> "/y", timeout: 3000, into: into] ++ opts

        error =
          assert_raise Error, fn ->
            MuonTrap.cmd("sh", ["-c", "sleep 1000 & echo; exec sleep 1000"], opts)
          end

        assert error.message =~ "cannot end"
        members = members(group)
        assert length(members) == 2
        freeze(group, false)
        wait_until(fn -> not Enum.any?(members, &alive?/1) end)
      end)
    end
  end

  @tag needs(cgroups: @with_freezer)
  test "processes below a frozen group outlive a killed helper, and are reported" do
    for @with_freezer = controllers <- ways_to_freeze() do
      with_group(controllers, fn group ->
        Process.flag(:trap_exit, true)
        daemon = start_daemon!(group <> "/x", cgroup_controllers: controllers)
        members = members(group)
        freeze(group, true)
        kill(Daemon.os_pid(daemon), "KILL")
        assert_receive {:EXIT, ^daemon, %Error{step: :helper} = error}
        assert error.advice =~ "could not be removed"
        assert error.advice =~ "a group above it is frozen"
        assert_others_unaffected()
        assert Enum.all?(members, &alive?/1)
        freeze(group, false)
        wait_until(fn -> not Enum.any?(members, &alive?/1) end)
      end)
    end
  end
end
