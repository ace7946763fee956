# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupDelegatedTest do
  # An ordinary user in a group that root has delegated.
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Cgroup, Needs}

  setup do
    %{folder: public_folder()}
  end

  # As in docs/cgroups.md: the group belongs to the user. On v2, the process that starts the programs must
  # be inside, in another group.
  defp delegate(group, controllers) do
    mounts = mounts()
    v1 = for name <- controllers, version(name) == :v1, do: Path.join(mounts[name], group)

    v2 =
      if point = mounts[:v2] do
        path = Path.join(point, group)
        files = Enum.map_join(~w(procs subtree_control), " ", &"#{path}/cgroup.#{&1}")
        passed_on = for name <- controllers, version(name) == :v2, do: "+" <> name

        [
          "echo #{Enum.join(passed_on, " ")} >#{point}/cgroup.subtree_control",
          "mkdir -p #{path}/main && chown 65534 #{path} #{files} #{path}/main #{path}/main/cgroup.procs",
          "echo $$ >#{path}/main/cgroup.procs"
        ]
      else
        []
      end

    Enum.join(["set -e" | Enum.map(v1, &"mkdir -p #{&1} && chown -R 65534 #{&1}")] ++ v2, "\n")
  end

  @tag needs(cgroups: ["memory", "pids"])
  test "sets limits, starts programs in them, and cleans up", %{folder: folder} do
    controllers = ["memory", "pids"]

    with_group(controllers, fn group ->
      sets = ["--set=memory.max=33554432", "--set=pids.max=20"]
      show = "id -u; grep -c #{group}/x /proc/self/cgroup"
      args = ["--group", group <> "/x" | sets] ++ ["--", "sh", "-c", show]
      {text, status} = helper_as_nobody(folder, delegate(group, controllers), args)
      assert {text, status} == {text, 0}
      assert ["65534", count] = String.split(text)
      assert String.to_integer(count) >= 1
      assert Enum.filter(below(group), &(Path.basename(&1) == "x")) == []
    end)
  end

  @tag needs(cgroups: ["memory", "pids"])
  test "kills a memory hog, stops a fork bomb, and sweeps processes that left their session", %{
    folder: folder
  } do
    controllers = ["memory", "pids"]

    with_group(controllers, fn group ->
      setup = delegate(group, controllers)

      run = fn sets, script ->
        args = ["--group", group <> "/x" | sets] ++ ["--", "sh", "-c", script]
        helper_as_nobody(folder, setup, args)
      end

      assert {_, 137} = run.(["--set=memory.max=33554432"], "exec tail /dev/zero")
      bomb = "while :; do sleep 1000 & done 2>&1"
      assert {text, status} = run.(["--set=pids.max=20"], bomb)
      assert status > 0
      assert text =~ "fork"
      assert {"", 0} = run.([], "mkdir -p /tmp; (setsid sleep 1000 &); exit 0")
      assert members(group) == []
      assert Enum.filter(below(group), &(Path.basename(&1) == "x")) == []
    end)
  end

  @tag needs(cgroups: ["memory", "pids"])
  test "reads, changes and removes groups", %{folder: folder} do
    controllers = ["memory", "pids"]

    with_group(controllers, fn group ->
      helper = Path.join(folder, "muontrap")
      path = group <> "/x"

      script = """
      #{helper} cgroup-set --group #{path} --set pids.max=30
      #{helper} cgroup-get --group #{path} pids.max memory.max
      #{helper} cgroup-get --group #{path} memory.limit_in_bytes
      #{helper} cgroup-stat --group #{path} | grep pids.current
      """

      sets = ["--set=memory.max=33554432", "--set=pids.max=20"]
      args = ["--group", path | sets] ++ ["--", "sh", "-c", script]
      {text, status} = helper_as_nobody(folder, delegate(group, controllers), args)
      assert {text, status} == {text, 0}

      assert [
               "pids.max 30",
               "memory.max 33554432",
               "memory.limit_in_bytes 33554432",
               "pids.current " <> _
             ] = String.split(text, "\n", trim: true)
    end)
  end

  @tag needs(cgroups: ["pids"])
  test "cannot use groups outside of its own", %{folder: folder} do
    with_group(["pids"], fn group ->
      file = Path.join(folder, "ran")
      args = ["--group", group <> "-other/x", "--set=pids.max=20", "--", "touch", file]
      assert {text, 125} = helper_as_nobody(folder, delegate(group, ["pids"]), args)
      assert text =~ "Permission denied"
      refute File.exists?(file)
      assert directories(group <> "-other") == []
    end)
  end
end
