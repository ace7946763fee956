# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupDaemonTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}

  @moduletag :capture_log

  @mebibyte 1024 * 1024
  @no_limit "9223372036854771712"

  describe "cgget and cgset" do
    @tag needs(cgroups: ["memory", "cpu", "pids"])
    test "accept the names of both versions" do
      with_group(["memory", "cpu", "pids"], fn group ->
        limits = %{memory_max: 64 * @mebibyte, cpu_max: {50_000, 200_000}, pids_max: 50}
        daemon = start_daemon!(group, cgroup: limits)

        for {name, value} <- [
              {"memory.max", "67108864"},
              {"memory.limit_in_bytes", "67108864"},
              {"cpu.max", "50000 200000"},
              {"cpu.cfs_quota_us", "50000"},
              {"cpu.cfs_period_us", "200000"},
              {"cpu.weight", "100"},
              {"cpu.shares", "1024"},
              {"pids.max", "50"},
              {"pids.current", "2"}
            ] do
          assert {name, Daemon.cgget(daemon, name)} == {name, {:ok, value}}
        end

        for {name, value, other, expected} <- [
              {"memory.limit_in_bytes", 32 * @mebibyte, "memory.max", "33554432"},
              {"memory.max", "max", "memory.limit_in_bytes", @no_limit},
              {"memory.max", "16M", "memory.limit_in_bytes", "16777216"},
              {"cpu.max", "max 100000", "cpu.cfs_quota_us", "-1"},
              {"cpu.cfs_quota_us", 25_000, "cpu.max", "25000 100000"},
              {"cpu.weight", 10_000, "cpu.shares", "262144"},
              {"cpu.shares", 2, "cpu.weight", "1"},
              {"pids.max", 20, "pids.max", "20"}
            ] do
          assert {name, Daemon.cgset(daemon, name, value)} == {name, :ok}
          assert {other, Daemon.cgget!(daemon, other)} == {other, expected}
        end

        assert :ok = Daemon.cgset!(daemon, "pids.max", "max")
        GenServer.stop(daemon)
      end)
    end

    @tag needs(cgroups: ["memory", "pids"])
    test "accept a controller, for files that every hierarchy has" do
      with_group(["memory", "pids"], fn group ->
        daemon = start_daemon!(group, cgroup: %{pids_max: 50}, cgroup_controllers: ["memory"])
        assert Daemon.cgget(daemon, "pids", "pids.max") == {:ok, "50"}
        assert Daemon.cgset(daemon, "pids", "pids.max", 40) == :ok
        assert Daemon.cgget(daemon, "pids", "pids.max") == {:ok, "40"}
        program = Integer.to_string(Daemon.program_os_pid(daemon))

        for controller <- ["memory", "pids"] do
          assert {:ok, pids} = Daemon.cgget(daemon, controller, "cgroup.procs")
          assert program in String.split(pids)
        end

        GenServer.stop(daemon)
      end)
    end

    @tag needs(cgroups: ["memory", "pids"])
    test "return the errors of the kernel" do
      with_group(["memory", "pids"], fn group ->
        daemon = start_daemon!(group, cgroup: %{memory_max: 64 * @mebibyte})

        for bad <- ["abc", "", "-5", "1 2"] do
          assert {bad, Daemon.cgset(daemon, "memory.max", bad)} == {bad, {:error, :einval}}
        end

        assert Daemon.cgget(daemon, "memory.max") == {:ok, "67108864"}
        assert Daemon.cgget(daemon, "no.such") == {:error, :enoent}
        assert Daemon.cgset(daemon, "no.such", 1) == {:error, :enoent}
        assert Daemon.cgset(daemon, "memory.current", 1) in [{:error, :eacces}, {:error, :einval}]

        error = assert_raise Error, fn -> Daemon.cgset!(daemon, "memory.max", "abc") end
        assert %{step: :cgroup, errno: :einval} = error
        file = if version("memory") == :v1, do: "memory.limit_in_bytes", else: "memory.max"
        assert error.path == file(group, file)
        assert error.message =~ ~s(failed to write "abc" to #{error.path})
        error = assert_raise Error, fn -> Daemon.cgget!(daemon, "no.such") end
        assert %{step: :cgroup, errno: :enoent} = error
        assert Exception.message(error) =~ "no.such"
        GenServer.stop(daemon)
      end)
    end

    @tag needs(cgroups: [])
    test "refuse files outside of the group" do
      with_group(fn group ->
        daemon = start_daemon!(group)

        for bad <- ["../cgroup.procs", "/etc/passwd", "..", ".", "", "a\0b", "a\nb", "x=y", "-x"] do
          assert {:error, errno} = Daemon.cgget(daemon, bad)
          assert errno in [:einval, :enoent]
          assert {:error, errno} = Daemon.cgset(daemon, bad, 1)
          assert errno in [:einval, :enoent]
        end

        for bad <- ["cgroup.procs", "cgroup.kill", "cgroup.subtree_control"],
            do: assert(Daemon.cgset(daemon, bad, 1) == {:error, :einval})

        assert Daemon.cgset(daemon, "pids.max", "1\n2") == {:error, :einval}
        assert Daemon.cgget(daemon, :pids_max) == {:error, :einval}
        assert Daemon.cgset(daemon, "pids.max", 1.5) == {:error, :einval}
        assert alive?(Daemon.program_os_pid(daemon))
        GenServer.stop(daemon)
      end)
    end

    @tag needs(cgroups: ["pids"])
    test "leave no message and no process behind" do
      with_group(["pids"], fn group ->
        daemon = start_daemon!(group, cgroup: %{pids_max: 50})
        for n <- 1..20, do: Daemon.cgset!(daemon, "pids.max", 50 + n)
        Daemon.statistics(daemon)
        assert mailbox() == []
        assert {:message_queue_len, 0} = Process.info(daemon, :message_queue_len)
        assert {:links, links} = Process.info(daemon, :links)
        assert {:monitored_by, monitors} = Process.info(daemon, :monitored_by)
        # Links to the test and to its stream, or a guard that monitors it.
        {linked, monitoring} = if MuonTrap.Test.ForkServer.used?(), do: {2, 0}, else: {1, 1}
        assert {length(links), length(monitors)} == {linked, monitoring}
        GenServer.stop(daemon)
      end)
    end
  end

  describe "groups below the program's group" do
    @describetag needs(cgroups: ["pids"])

    test "are counted in the statistics" do
      with_group(fn group ->
        daemon = start_daemon!(group, cgroup_controllers: ["pids"])
        assert %{"nr_descendants" => 0} = Daemon.statistics(daemon).cgroup["cgroup.stat"]
        for directory <- directories(group), do: File.mkdir!(Path.join(directory, "below"))
        assert %{"nr_descendants" => 1} = Daemon.statistics(daemon).cgroup["cgroup.stat"]
        GenServer.stop(daemon)
        assert directories(group) == []
      end)
    end
  end

  describe "without a cgroup" do
    test "there is nothing to read or write" do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
      assert Daemon.cgget(daemon, "memory.max") == {:error, :enoent}
      assert Daemon.cgget(daemon, "memory", "memory.max") == {:error, :enoent}
      assert Daemon.cgset(daemon, "memory.max", 1) == {:error, :enoent}
      assert Daemon.cgset(daemon, "memory", "memory.max", 1) == {:error, :enoent}
      assert_raise Error, ~r/no cgroup/, fn -> Daemon.cgget!(daemon, "memory.max") end
      assert Daemon.cgroup_path(daemon) == nil
      assert Daemon.cgroup_config(daemon) == %{}
      assert Daemon.statistics(daemon).cgroup == %{}
      GenServer.stop(daemon)
    end

    test "there is nothing before the program is started" do
      wait = fn -> Process.sleep(:infinity) end
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], wait_for: wait, cgroup_path: "unused")
      assert Daemon.cgget(daemon, "memory.max") == {:error, :enoent}
      GenServer.stop(daemon)
    end
  end

  describe "cgroup_path/1" do
    test "is known before the program is started" do
      wait = fn -> Process.sleep(:infinity) end
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], wait_for: wait, cgroup_path: "unused")
      assert Daemon.cgroup_path(daemon) == "unused"
      GenServer.stop(daemon)

      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], wait_for: wait, cgroup_base: "unused")
      assert "unused/muontrap-" <> _unique = path = Daemon.cgroup_path(daemon)
      assert Daemon.cgroup_path(daemon) == path
      GenServer.stop(daemon)
    end

    @tag needs(cgroups: [])
    test "is the path that was given, or the new group below the base" do
      with_group(fn group ->
        daemon = start_daemon!(group)
        assert Daemon.cgroup_path(daemon) == group
        GenServer.stop(daemon)

        test = self()

        wait = fn ->
          send(test, {:waiting, self()})
          receive(do: (:go_on -> :ok))
        end

        opts = [cgroup_base: group, wait_for: wait]
        {:ok, daemon} = Daemon.start_link("sleep", ["1000"], opts)
        path = Daemon.cgroup_path(daemon)
        assert_receive {:waiting, waiter}
        send(waiter, :go_on)
        wait_until(fn -> is_integer(Daemon.program_os_pid(daemon)) end)
        assert Path.dirname(path) == group
        assert Daemon.program_os_pid(daemon) in members(path)
        GenServer.stop(daemon)
        assert directories(path) == []
      end)
    end
  end

  describe "cgroup_config/1" do
    @tag needs(cgroups: ["memory", "cpu", "pids"])
    test "can be passed as the option :cgroup" do
      with_group(["memory", "cpu", "pids"], fn base ->
        limits = %{
          memory_max: 64 * @mebibyte,
          memory_low: 8 * @mebibyte,
          cpu_max: {50_000, 100_000},
          cpu_weight: 50,
          pids_max: 50
        }

        daemon = start_daemon!(base <> "/one", cgroup: limits)
        config = Daemon.cgroup_config(daemon)
        assert Map.take(config, Map.keys(limits)) == limits
        other = start_daemon!(base <> "/other", cgroup: config)
        assert Daemon.cgroup_config(other) == config
        :ok = Daemon.cgset(daemon, "memory.max", "max")
        :ok = Daemon.cgset(daemon, "cpu.max", "max")
        assert %{memory_max: :max, cpu_max: :max} = config = Daemon.cgroup_config(daemon)
        GenServer.stop(other)
        other = start_daemon!(base <> "/other", cgroup: config)
        assert Daemon.cgroup_config(other) == config
        for daemon <- [daemon, other], do: GenServer.stop(daemon)
      end)
    end

    @tag needs(cgroups: ["io"])
    test "has the limits of block devices" do
      with_group(["io"], fn group ->
        # The kernel accepts limits for whole disks only.
        case "/sys/block/*/dev" |> Path.wildcard() |> Enum.map(&String.trim(File.read!(&1))) do
          [] ->
            daemon = start_daemon!(group, cgroup_controllers: ["io"])
            refute Map.has_key?(Daemon.cgroup_config(daemon), :io_max)
            GenServer.stop(daemon)

          [disk | _more] ->
            limits = %{disk => %{rbps: 1_048_576, wiops: 100}}
            daemon = start_daemon!(group, cgroup: %{io_max: limits})
            assert Daemon.cgroup_config(daemon).io_max == limits
            assert Daemon.cgget!(daemon, "io.max") =~ "#{disk} rbps=1048576 wbps=max"
            name = "blkio.throttle.read_bps_device"
            assert Daemon.cgget!(daemon, name) == "#{disk} 1048576"
            :ok = Daemon.cgset!(daemon, name, "#{disk} 2097152")
            assert %{^disk => %{rbps: 2_097_152}} = Daemon.cgroup_config(daemon).io_max
            :ok = Daemon.cgset!(daemon, "io.max", "#{disk} rbps=max wiops=max")
            refute Map.has_key?(Daemon.cgroup_config(daemon), :io_max)
            GenServer.stop(daemon)
        end
      end)
    end

    @tag needs(cgroups: ["cpuset"])
    test "has the CPUs" do
      with_group(["cpuset"], fn group ->
        daemon = start_daemon!(group, cgroup: %{cpuset_cpus: "0", cpuset_mems: "0"})
        assert %{cpuset_cpus: "0", cpuset_mems: "0"} = Daemon.cgroup_config(daemon)
        GenServer.stop(daemon)
      end)
    end
  end

  describe "statistics/1" do
    @tag needs(cgroups: ["memory", "cpu", "pids", "io"])
    test "has the resources that the group has used, with the same names and units everywhere" do
      with_group(["memory", "cpu", "pids", "io"], fn group ->
        controllers = ["memory", "cpu", "cpuacct", "pids", "io"]
        daemon = start_daemon!(group, cgroup_controllers: controllers)
        statistics = Daemon.statistics(daemon).cgroup

        assert %{
                 "cgroup.events" => %{"populated" => 1, "frozen" => 0},
                 "memory.current" => current,
                 "memory.stat" => %{},
                 "memory.events" => %{"oom_kill" => 0, "max" => 0},
                 "cpu.stat" => %{"usage_usec" => usage, "user_usec" => _, "system_usec" => _},
                 "pids.current" => 2,
                 "io.stat" => %{}
               } = statistics

        assert current in 4096..(64 * @mebibyte)
        assert %{"nr_throttled" => 0, "throttled_usec" => 0} = statistics["cpu.stat"]
        assert Enum.all?(statistics["memory.stat"], fn {_key, value} -> is_integer(value) end)
        assert usage <= 60_000_000

        for kind <- ["cpu", "memory", "io"], file(group, "#{kind}.pressure") do
          pressure = statistics["#{kind}.pressure"]
          assert %{"some" => %{"avg10" => average, "total" => total}} = pressure
          assert is_float(average) and is_integer(total)
        end

        # Linux has these counts since 5.19 (6.1 for processes).
        for {name, v1_name} <- [{"memory.peak", "memory.max_usage_in_bytes"}, {"pids.peak", nil}] do
          there? = file(group, name) || (v1_name && file(group, v1_name))
          assert is_integer(statistics[name]) == !!there?
        end

        GenServer.stop(daemon)
      end)
    end
  end
end
