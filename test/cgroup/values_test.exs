# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupValuesTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Cgroup
  alias MuonTrap.Cgroup.Values
  alias MuonTrap.Options

  describe "settings" do
    test "of all kinds" do
      files = %{
        "cpu.idle" => "0",
        "cpu.max" => "50000 100000",
        "cpu.weight" => "100",
        "cpuset.cpus" => "0-1,3",
        "cpuset.mems" => "",
        "io.max" => "8:0 rbps=1048576 wbps=max riops=max wiops=120\n8:16 rbps=max wbps=1",
        "io.weight" => "default 100\n8:16 200",
        "memory.high" => "max",
        "memory.max" => "33554432",
        "memory.oom.group" => "1",
        "pids.max" => "max",
        "no.such" => "1"
      }

      config = %{
        cpu_idle: false,
        cpu_max: {50_000, 100_000},
        cpu_weight: 100,
        cpuset_cpus: "0-1,3",
        io_max: %{"8:0" => %{rbps: 1_048_576, wiops: 120}, "8:16" => %{wbps: 1}},
        io_weight: %{:default => 100, "8:16" => 200},
        memory_high: :max,
        memory_max: 33_554_432,
        memory_oom_group: true,
        pids_max: :max
      }

      assert Values.config(files) == config
      options = Options.validate(:run, "true", [], cgroup_path: "x", cgroup: config)

      assert [
               {"cpu.idle", "0"},
               {"cpu.max", "50000 100000"},
               {"cpu.weight", "100"},
               {"cpuset.cpus", "0-1,3"},
               {"io.max", "8:0 rbps=1048576 wiops=120"},
               {"io.max", "8:16 wbps=1"},
               {"io.weight", "default 100"},
               {"io.weight", "8:16 200"},
               {"memory.high", "max"},
               {"memory.max", "33554432"},
               {"memory.oom.group", "1"},
               {"pids.max", "max"}
             ] = options.cgroup_sets
    end

    test "that are not set are left out" do
      assert Values.config(%{"io.max" => "", "cpuset.cpus" => "", "cpu.max" => "max 100000"}) ==
               %{cpu_max: :max}

      assert Values.config(%{"io.weight" => "default 50"}) == %{io_weight: 50}
      assert Values.config(%{"cpu.idle" => "1", "cpu.weight" => "1"}) == %{cpu_idle: true}
    end
  end

  test "statistics of all kinds" do
    files = %{
      "memory.current" => "4096",
      "cpu.stat" => "usage_usec 12\nuser_usec 5",
      "io.stat" => "8:0 rbytes=1 wbytes=2\n8:16 rbytes=3",
      "cpu.pressure" => "some avg10=0.25 total=7\nfull avg10=0.00 total=0",
      "pids.peak" => "max",
      "empty" => ""
    }

    assert Values.statistics(files) == %{
             "memory.current" => 4096,
             "cpu.stat" => %{"usage_usec" => 12, "user_usec" => 5},
             "io.stat" => %{"8:0" => %{"rbytes" => 1, "wbytes" => 2}, "8:16" => %{"rbytes" => 3}},
             "cpu.pressure" => %{
               "some" => %{"avg10" => 0.25, "total" => 7},
               "full" => %{"avg10" => 0.0, "total" => 0}
             },
             "pids.peak" => :max,
             "empty" => %{}
           }
  end

  describe "names below a base" do
    test "are unique" do
      options = Options.validate(:run, "true", [], cgroup_base: "b")
      names = for _ <- 1..1000, do: Cgroup.choose(options).cgroup_path
      assert length(Enum.uniq(names)) == 1000
      assert Enum.all?(names, &(&1 =~ ~r/\Ab\/muontrap-\d+-[0-9a-z]+-\d+\z/))
      options = Cgroup.choose(options)
      assert Cgroup.choose(options) == options
    end
  end

  # A program with such a name can still be run.
  @tag :tmp_dir
  test "the names of sub-commands are special only as the first argument", %{tmp_dir: folder} do
    MuonTrap.Test.OS.script(folder, "cgroup-get", "#!/bin/sh\necho mine $*\n")
    env = [{"PATH", folder <> ":" <> System.fetch_env!("PATH")}]

    assert MuonTrap.cmd(MuonTrap.muontrap_path(), ~w(-- cgroup-get a), env: env) ==
             {"mine a\n", 0}

    assert {usage, 125} =
             MuonTrap.cmd(MuonTrap.muontrap_path(), ["cgroup-get"], stderr_to_stdout: true)

    assert usage =~ "--group"
  end
end
