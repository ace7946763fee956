# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OptionsCgroupTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.Options

  test "paths" do
    for key <- [:cgroup_path, :cgroup_base] do
      accepts(key, [
        {"a", "a"},
        {"a/b", "a/b"},
        {"/a/b", "/a/b"},
        {"a.b", "a.b"},
        {"..a", "..a"}
      ])

      refuses(key, [
        "",
        ".",
        "..",
        "../x",
        "../../x",
        "a/../b",
        "a/./b",
        "a/..",
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/x",
        "//sys/fs/cgroup/x",
        "a\0b",
        :a,
        nil,
        ~c"a"
      ])
    end

    accepts(:cgroup_base, [{"/", "/"}])
    assert refused(:cgroup_path, "/") =~ "root group"
  end

  test "paths and values have to be UTF-8" do
    for {key, value} <- [
          cgroup_path: <<"a", 0xFF>>,
          cgroup_base: <<0xFF, "/a">>,
          cgroup_sets: [{"memory", "memory.max", <<"1", 0xFF>>}],
          cgroup: %{cpuset_cpus: <<0xFF>>}
        ],
        do: refuses(key, [value])
  end

  test "a path and a base exclude each other" do
    message = "cannot specify both a :cgroup_path and a :cgroup_base"

    assert_raise ArgumentError, message, fn -> valid(cgroup_path: "a", cgroup_base: "b") end
  end

  test "settings need a path or a base" do
    for opts <- [
          [cgroup_controllers: ["memory"]],
          [cgroup_sets: [{"memory", "memory.max", 1}]],
          [cgroup: %{memory_max: 1}]
        ] do
      message = "cgroup controllers and settings need a :cgroup_path or a :cgroup_base"
      assert_raise ArgumentError, message, fn -> valid(opts) end
      assert valid([{:cgroup_base, "b"} | opts])
    end
  end

  test "controllers and sets" do
    options =
      valid(
        cgroup_base: "b",
        cgroup_controllers: ["memory", "cpu", "memory"],
        cgroup_sets: [{"memory", "memory.limit_in_bytes", "1"}, {"pids", "pids.max", 2}]
      )

    assert options.cgroup_controllers == ["memory", "cpu", "pids"]
    assert options.cgroup_sets == [{"memory.limit_in_bytes", "1"}, {"pids.max", "2"}]

    refuses(:cgroup_controllers, [
      "memory",
      nil,
      [:memory],
      [""],
      ["a/b"],
      ["a,b"],
      ["a\0"],
      [".."]
    ])

    refuses(:cgroup_sets, [
      %{},
      nil,
      [{"memory", "memory.max"}],
      [{"memory", "../memory.max", "1"}],
      [{"memory", "memory/max", "1"}],
      [{"memory", "memory.max=1", "1"}],
      [{"memory", "", "1"}],
      [{"", "memory.max", "1"}],
      [{"memory", "memory.max", ""}],
      [{"memory", "memory.max", 1.5}],
      [{"memory", "memory.max", "1\0"}],
      [{:memory, "memory.max", 1}]
    ])
  end

  test "limits" do
    limits = %{
      cpu_weight: 50,
      cpu_max: {50_000, 100_000},
      cpu_idle: true,
      memory_min: 0,
      memory_low: 1,
      memory_high: 2,
      memory_max: 3,
      memory_swap_max: :max,
      memory_oom_group: false,
      pids_max: 10,
      io_weight: 100,
      io_max: "8:16 rbps=2097152",
      cpuset_cpus: "0-1",
      cpuset_mems: "0"
    }

    assert valid(cgroup_path: "a", cgroup: limits).cgroup_sets == [
             {"cpu.idle", "1"},
             {"cpu.max", "50000 100000"},
             {"cpu.weight", "50"},
             {"cpuset.cpus", "0-1"},
             {"cpuset.mems", "0"},
             {"io.max", "8:16 rbps=2097152"},
             {"io.weight", "100"},
             {"memory.high", "2"},
             {"memory.low", "1"},
             {"memory.max", "3"},
             {"memory.min", "0"},
             {"memory.oom.group", "0"},
             {"memory.swap.max", "max"},
             {"pids.max", "10"}
           ]

    for {value, text} <- [{:max, "max"}, {5, "5"}, {{:max, 9}, "max 9"}] do
      assert valid(cgroup_path: "a", cgroup: %{cpu_max: value}).cgroup_sets == [
               {"cpu.max", text}
             ]
    end
  end

  test "limits of devices" do
    limits = %{
      io_max: %{"8:0" => %{rbps: 1, wiops: :max}, "8:16" => %{wbps: 2}, "8:32" => %{}},
      io_weight: %{:default => 50, "8:0" => 100}
    }

    assert valid(cgroup_path: "a", cgroup: limits).cgroup_sets == [
             {"io.max", "8:0 rbps=1 wiops=max"},
             {"io.max", "8:16 wbps=2"},
             {"io.weight", "default 50"},
             {"io.weight", "8:0 100"}
           ]
  end

  test "wrong limits" do
    for {key, values} <- [
          cpu_weight: [0, 10_001, "1", :max],
          cpu_max: [0, -1, {1}, {1, 0}, {1, :max}, {{1, 2}, 3}, "max"],
          cpu_idle: [2, nil, "1"],
          memory_max: [-1, "1", "abc", 1.5, nil],
          memory_oom_group: [2, :max],
          pids_max: ["10", -1],
          io_weight: [0, 10_001, "", %{"8:0" => 0}, %{"sda" => 1}, %{default: "1"}, %{other: 1}],
          io_max: [1, "", "a\0", %{"8:0" => 1}, %{"sda" => %{rbps: 1}}, %{"8:0" => %{rbps: 0}}],
          io_max: [%{"8:0" => %{xbps: 1}}, %{"8:0" => %{rbps: "1"}}, %{default: %{rbps: 1}}],
          cpuset_cpus: [0, "", nil],
          no_such_limit: [1]
        ],
        value <- values do
      assert refused(:cgroup, %{key => value}) =~
               ~r/(the limit #{inspect(key)} takes|no limit :no_such)/
    end

    refuses(:cgroup, [[], nil, [memory_max: 1], %{"memory_max" => 1}])
  end
end
