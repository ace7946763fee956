# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupDialectTest do
  # The same limits with the names of v1, with those of v2, and in the option `:cgroup`.
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Cgroup, Needs}

  alias MuonTrap.Daemon

  # Settings of v1, of v2 and of the option, and the files that have to have the value on each version.
  @rows [
    {"memory", [{"memory.limit_in_bytes", 33_554_432}], [{"memory.max", 33_554_432}],
     %{memory_max: 33_554_432}, [{"memory.limit_in_bytes", "33554432"}],
     [{"memory.max", "33554432"}]},
    {"memory", [{"memory.soft_limit_in_bytes", 4_194_304}], [{"memory.low", 4_194_304}],
     %{memory_low: 4_194_304}, [{"memory.soft_limit_in_bytes", "4194304"}],
     [{"memory.low", "4194304"}]},
    {"memory", [{"memory.limit_in_bytes", -1}], [{"memory.max", "max"}], %{memory_max: :max},
     [{"memory.limit_in_bytes", "9223372036854771712"}], [{"memory.max", "max"}]},
    {"cpu", [{"cpu.cfs_quota_us", 50_000}, {"cpu.cfs_period_us", 200_000}],
     [{"cpu.max", "50000 200000"}], %{cpu_max: {50_000, 200_000}},
     [{"cpu.cfs_quota_us", "50000"}, {"cpu.cfs_period_us", "200000"}],
     [{"cpu.max", "50000 200000"}]},
    {"cpu", [{"cpu.cfs_quota_us", -1}], [{"cpu.max", "max"}], %{cpu_max: :max},
     [{"cpu.cfs_quota_us", "-1"}, {"cpu.cfs_period_us", "100000"}], [{"cpu.max", "max 100000"}]},
    {"cpu", [{"cpu.shares", 1024}], [{"cpu.weight", 100}], %{cpu_weight: 100},
     [{"cpu.shares", "1024"}], [{"cpu.weight", "100"}]},
    {"cpu", [{"cpu.shares", 262_144}], [{"cpu.weight", 10_000}], %{cpu_weight: 10_000},
     [{"cpu.shares", "262144"}], [{"cpu.weight", "10000"}]},
    {"pids", [{"pids.max", 20}], [{"pids.max", 20}], %{pids_max: 20}, [{"pids.max", "20"}],
     [{"pids.max", "20"}]},
    {"cpu", [{"cpu.idle", 1}], [{"cpu.idle", 1}], %{cpu_idle: true}, [{"cpu.idle", "1"}],
     [{"cpu.idle", "1"}]},
    {"cpuset", [{"cpuset.cpus", "0"}], [{"cpuset.cpus", "0"}], %{cpuset_cpus: "0"},
     [{"cpuset.cpus", "0"}], [{"cpuset.cpus", "0"}]}
  ]

  for {controller, v1, v2, map, files_v1, files_v2} <- @rows do
    @tag needs(cgroups: [controller])
    test "#{inspect(map)} leads to the same files as the settings of v1 and of v2" do
      assert_same(
        unquote(controller),
        [unquote(Macro.escape(v1)), unquote(Macro.escape(v2)), unquote(Macro.escape(map))],
        %{v1: unquote(Macro.escape(files_v1)), v2: unquote(Macro.escape(files_v2))}
      )
    end
  end

  # The kernel accepts limits for whole disks only.
  @tag needs(cgroups: ["io"], file: "/sys/block/*/dev")
  test "the limits of a disk lead to the same files as the settings of v1 and of v2" do
    [file | _more] = Path.wildcard("/sys/block/*/dev")
    disk = file |> File.read!() |> String.trim()
    {read, write} = {"blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device"}
    v1 = [{read, "#{disk} 1048576"}, {write, "#{disk} 100"}]
    v2 = [{"io.max", "#{disk} rbps=1048576 wiops=100"}]
    map = %{io_max: %{disk => %{rbps: 1_048_576, wiops: 100}}}
    files_v2 = [{"io.max", "#{disk} rbps=1048576 wbps=max riops=max wiops=100"}]
    assert_same("io", [v1, v2, map], %{v1: v1, v2: files_v2})
  end

  defp assert_same(controller, [v1, v2, map], files) do
    expected = files[version(controller)]
    sets = &for({name, value} <- &1, do: {hd(String.split(name, ".")), name, value})

    with_group([controller], fn base ->
      for options <- [[cgroup_sets: sets.(v1)], [cgroup_sets: sets.(v2)], [cgroup: map]] do
        assert {options, found(base, options, expected)} == {options, expected}
      end
    end)
  end

  @tag needs(cgroups: ["memory"])
  test "swap is limited separately on v2, and together with memory on v1" do
    # Not every kernel accounts for swap.
    memory =
      if version("memory") == :v1, do: "memory.memsw.limit_in_bytes", else: "memory.swap.max"

    with_group(["memory"], fn base ->
      v1 = [{"memory.limit_in_bytes", 33_554_432}, {"memory.memsw.limit_in_bytes", 50_331_648}]
      sets = for {name, value} <- v1, do: {"memory", name, value}
      map = %{memory_max: 33_554_432, memory_swap_max: 16_777_216}

      {:ok, probe} =
        Daemon.start_link("sleep", ["1000"], cgroup_path: base, cgroup_controllers: ["memory"])

      counted? = file(base, memory) != nil
      GenServer.stop(probe)

      for options <- [[cgroup_sets: sets], [cgroup: map]] do
        if counted? do
          expected = if memory =~ "memsw", do: "50331648", else: "16777216"
          assert found(base, options, [{memory, nil}]) == [{memory, expected}]
        else
          error =
            assert_raise MuonTrap.Error, fn ->
              MuonTrap.cmd("true", [], [cgroup_path: base] ++ options)
            end

          assert error.errno == :enoent
        end
      end
    end)
  end

  defp found(base, options, expected) do
    {:ok, daemon} = Daemon.start_link("sleep", ["1000"], [cgroup_base: base] ++ options)
    path = Daemon.cgroup_path(daemon)
    found = for {name, _value} <- expected, do: {name, read(path, name)}
    GenServer.stop(daemon)
    found
  end
end
