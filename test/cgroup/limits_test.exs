# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupLimitsTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.Daemon

  @moduletag :capture_log

  @mebibyte 1024 * 1024

  @tag needs(cgroups: ["memory"])
  test "a program that exceeds its memory limit is killed, and this is reported" do
    with_group(["memory"], fn group ->
      options = [cgroup_path: group, cgroup: %{memory_max: 32 * @mebibyte}]
      result = MuonTrap.run("tail", ["/dev/zero"], options)
      assert %{exit_status: 137, signal: 9, oom_killed: true, cgroup_left: false} = result
      assert result.cgroup_peak_bytes in (16 * @mebibyte)..(32 * @mebibyte)
      assert directories(group) == []

      # The count is that of the run, not of the group's whole lifetime.
      result = MuonTrap.run("true", [], options)
      assert %{exit_status: 0, oom_killed: false} = result
      assert result.cgroup_peak_bytes < 16 * @mebibyte
    end)
  end

  @tag needs(cgroups: ["memory"])
  test "a child killed by the out-of-memory killer is distinguished from other killed children" do
    with_group(["memory"], fn group ->
      options = [cgroup_path: group, cgroup: %{memory_max: 32 * @mebibyte}]
      result = MuonTrap.run("sh", ["-c", "tail /dev/zero 2>/dev/null; exit 3"], options)
      assert %{exit_status: 3, oom_killed: true} = result
      result = MuonTrap.run("sh", ["-c", "kill -KILL $$"], options)
      assert %{exit_status: 137, oom_killed: false} = result
    end)
  end

  @tag needs(cgroups: ["pids"])
  test "a fork bomb stops at pids_max, and ends with its daemon" do
    with_group(["pids"], fn group ->
      bomb = "(while :; do sleep 1000 & done) 2>/dev/null & exec sleep 1000"
      options = [cgroup_path: group, cgroup: %{pids_max: 20}]
      {:ok, daemon} = Daemon.start_link("sh", ["-c", bomb], options)
      refused = fn -> Daemon.statistics(daemon).cgroup["pids.events"]["max"] end
      wait_until(fn -> refused.() > 0 end)
      members = members(group)
      assert length(members) in 10..20
      GenServer.stop(daemon)
      assert Enum.filter(members, &alive?/1) == []
      assert directories(group) == []
    end)
  end

  @tag needs(cgroups: ["cpu"])
  test "a busy program gets the CPU time that cpu_max allows" do
    with_group(["cpu"], fn group ->
      # Few enough to be reached on a busy host, too.
      options = [cgroup_path: group, cgroup: %{cpu_max: {10_000, 100_000}}]
      {:ok, daemon} = Daemon.start_link("sh", ["-c", "while :; do :; done"], options)
      stat = fn -> Daemon.statistics(daemon).cgroup["cpu.stat"] end
      wait_until(fn -> stat.()["nr_throttled"] >= 20 end)
      # By the kernel's count of periods, since in some there may be less CPU time than allowed.
      %{"usage_usec" => used, "nr_periods" => periods, "nr_throttled" => throttled} = stat.()
      GenServer.stop(daemon)
      assert used <= 1.1 * 10_000 * (periods + 2)
      assert used >= 0.9 * 10_000 * throttled
    end)
  end

  @tag needs(cgroups: ["memory", "pids"])
  test "a program is in its group before its first instruction" do
    with_group(["memory", "pids"], fn group ->
      limits = %{memory_max: 32 * @mebibyte, pids_max: 10}
      options = [cgroup_path: group, cgroup: limits]
      {text, 0} = MuonTrap.cmd("cat", ["/proc/self/cgroup"], options)

      for controller <- ["memory", "pids"] do
        line =
          if version(controller) == :v1, do: ~r/^\d+:#{controller}:(.*)$/m, else: ~r/^0::(.*)$/m

        assert [_, path] = Regex.run(line, text)
        assert Path.basename(path) == group
      end
    end)
  end

  @tag needs(cgroups: ["cpuset"])
  test "CPUs can be chosen" do
    with_group(["cpuset"], fn group ->
      options = [cgroup_path: group, cgroup: %{cpuset_cpus: "0"}]
      {text, 0} = MuonTrap.cmd("cat", ["/proc/self/status"], options)
      assert text =~ ~r/^Cpus_allowed_list:\s0$/m
    end)
  end

  @tag needs(cgroups: [])
  test "each run gets a group below the base" do
    with_group(fn base ->
      show = fn -> MuonTrap.cmd("cat", ["/proc/self/cgroup"], cgroup_base: base) end
      {one, 0} = show.()
      {other, 0} = show.()
      [one, other] = for text <- [one, other], do: Regex.run(~r/#{base}\/[\w-]+/, text)
      assert one != other
      assert below(base) == []
    end)
  end

  @tag needs(cgroups: ["pids"])
  test "many runs at the same time have a group each" do
    with_group(["pids"], fn base ->
      options = [cgroup_base: base, cgroup: %{pids_max: 5}]

      1..20
      |> Task.async_stream(fn _ -> MuonTrap.run("sh", ["-c", "sleep 0.1 & wait"], options) end,
        max_concurrency: 20,
        timeout: 60_000
      )
      |> Enum.each(fn {:ok, result} -> assert %{exit_status: 0, cgroup_left: false} = result end)

      assert below(base) == []
    end)
  end
end
