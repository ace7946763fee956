# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CgroupRefusedTest do
  # Requests that cannot be fulfilled are errors with a reason. No program runs, no process is killed, and
  # no group is left.
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}

  @moduletag :tmp_dir

  # Runs a program that would create a file, and returns the error.
  defp refused(group, folder, opts) do
    file = Path.join(folder, "ran")
    opts = Keyword.put_new(opts, :cgroup_path, group)
    error = assert_raise Error, fn -> MuonTrap.cmd("touch", [file], opts) end
    assert {:error, ^error} = Daemon.start_link("touch", [file], opts)
    refute File.exists?(file)
    assert directories(group) == []
    assert error.step == :cgroup
    error
  end

  describe "values that the kernel refuses:" do
    @tag needs(cgroups: ["memory"])
    test "memory", %{tmp_dir: folder} do
      with_group(["memory"], fn group ->
        for name <- ["memory.max", "memory.limit_in_bytes"] do
          error = refused(group, folder, cgroup_sets: [{"memory", name, "abc"}])
          assert error.errno == :einval
          assert Path.basename(error.path) in ["memory.max", "memory.limit_in_bytes"]
          assert error.message =~ ~s("abc")
          assert error.message =~ error.path
        end
      end)
    end

    @tag needs(cgroups: ["pids", "cpu", "io"])
    test "processes, CPU time and devices", %{tmp_dir: folder} do
      with_group(["pids", "cpu", "io"], fn group ->
        for {controller, name, value} <- [
              {"pids", "pids.max", "-5"},
              {"pids", "pids.max", "many"},
              {"cpu", "cpu.max", "1 1"},
              {"cpu", "cpu.weight", "0"},
              {"cpu", "cpu.shares", "many"},
              {"io", "io.max", "9999:9999 rbps=1"},
              {"io", "io.max", "nonsense"}
            ] do
          error = refused(group, folder, cgroup_sets: [{controller, name, value}])
          assert {name, value, true} == {name, value, error.errno in [:einval, :erange, :enodev]}
          assert is_binary(error.path)
        end
      end)
    end

    @tag needs(cgroups: ["cpuset"])
    test "CPUs that do not exist", %{tmp_dir: folder} do
      with_group(["cpuset"], fn group ->
        for cpus <- ["1023", "0-1023", "99999", "x"] do
          error = refused(group, folder, cgroup: %{cpuset_cpus: cpus})
          assert error.errno in [:einval, :erange]
          assert Path.basename(error.path) == "cpuset.cpus"
          assert error.message =~ inspect(cpus)
        end
      end)
    end

    @tag needs(cgroups: ["memory", "pids"])
    test "one after others that were accepted", %{tmp_dir: folder} do
      with_group(["memory", "pids"], fn group ->
        sets = [{"memory", "memory.max", 33_554_432}, {"pids", "pids.max", "x"}]
        assert refused(group, folder, cgroup_sets: sets).errno == :einval
      end)
    end
  end

  describe "a host without" do
    @tag needs(cgroups: ["memory"])
    test "a controller or setting: the error names it", %{tmp_dir: folder} do
      with_group(["memory"], fn group ->
        for sets <- [[{"memory", "memory.no_such_thing", 1}], [{"nonsense", "nonsense.max", 1}]] do
          error = refused(group, folder, cgroup_sets: sets)
          assert error.errno == :enoent
          [{_controller, name, _value}] = sets
          assert Exception.message(error) =~ name |> String.split(".") |> hd()
        end

        error = refused(group, folder, cgroup_controllers: ["nonsense"])
        assert error.errno == :enoent
        assert Exception.message(error) =~ "nonsense"
      end)
    end

    @tag needs(cgroups: ["memory"])
    test "a setting that only the other version has: the error names it", %{tmp_dir: folder} do
      with_group(["memory"], fn group ->
        {setting, value} =
          if version("memory") == :v1, do: {:memory_high, 1_000_000}, else: {:memory_high, nil}

        if value do
          error = refused(group, folder, cgroup: %{setting => value})
          assert error.errno == :enoent
          assert Exception.message(error) =~ "memory.high"
        else
          error = refused(group, folder, cgroup_sets: [{"memory", "memory.swappiness", 1}])
          assert error.errno == :enoent
          assert Exception.message(error) =~ "memory.swappiness"
        end
      end)
    end

    @tag needs([:root, :mount_namespace])
    test "cgroups, in a mount namespace without them", %{tmp_dir: folder} do
      {output, status} = in_namespace("umount -l /sys/fs/cgroup", folder)

      assert {_, 125} = {output, status}
      assert output =~ "no cgroup hierarchy is mounted"
    end

    @tag needs([:root, :mount_namespace, cgroups: []])
    test "a writable mount", %{tmp_dir: folder} do
      points = mounts() |> Map.values() |> Enum.uniq()
      remount = Enum.map_join(points, "; ", &"mount -o remount,bind,ro #{&1}")
      {output, status} = in_namespace(remount, folder)

      assert {_, 125} = {output, status}
      assert output =~ "Read-only file system"
      assert output =~ "muontrap doctor --base muontrap-test-ns` tells how to fix it"
    end
  end

  # Runs the helper in a mount namespace that the shell commands `prepare` have changed.
  defp in_namespace(prepare, folder) do
    file = Path.join(folder, "ran")
    helper = MuonTrap.muontrap_path()
    script = "#{prepare}; exec '#{helper}' --group muontrap-test-ns/x -- touch '#{file}'"

    result =
      MuonTrap.cmd("unshare", ["--mount", "sh", "-c", script],
        stderr_to_stdout: true,
        timeout: 20_000
      )

    refute File.exists?(file)
    assert directories("muontrap-test-ns") == []
    result
  end

  @tag needs(:ordinary_user)
  test "groups that the user may not create", %{tmp_dir: folder} do
    errno = if mounts() == %{}, do: [:enoent], else: [:eacces, :erofs]
    assert refused("muontrap-test-refused", folder, []).errno in errno
  end

  describe "refused on every host:" do
    defp refused_option(opts) do
      error = assert_raise ArgumentError, fn -> MuonTrap.cmd("true", [], opts) end
      [{key, value} | _more] = opts
      assert error.message =~ inspect(key)
      assert error.message =~ inspect(value)
      refute error.message =~ "--"
      error.message
    end

    test "paths with too many slashes, control characters or names that are too long" do
      long = String.duplicate("x", 256)
      paths = ["a//b", "a/", "//a", "a\tb", "a\n", "sys/fs/cgroup/x", long]

      for key <- [:cgroup_path, :cgroup_base], path <- paths, do: refused_option([{key, path}])

      for path <- ["/a", "a/b", "a.b/c-d_e", "...", "é"],
          do: MuonTrap.Options.validate(:cmd, "true", [], cgroup_path: path)
    end

    test "settings that do not exist, or are set twice" do
      for {sets, why} <- [
            {[{"memory", "memory", 1}], ~s("memory" is not the name of a setting)},
            {[{"memory", ".max", 1}], ~s(".max" is not)},
            {[{"memory", "memory..max", 1}], ~s("memory..max" is not)},
            {[{"memory", "memory/max", 1}], ~s("memory/max" is not)},
            {[{"pids", "cgroup.procs", 1}], ~s("cgroup.procs" is reserved)},
            {[{"pids", "pids.max", 1}, {"pids", "pids.max", 2}], "set more than once"},
            {[{"pids", "pids.max", "1\n2"}], "{controller, setting, value}"}
          ] do
        assert refused_option(cgroup_sets: sets, cgroup_path: "x") =~ why
      end

      devices = [{"io", "io.max", "8:0 rbps=1"}, {"io", "io.max", "8:16 rbps=1"}]
      MuonTrap.Options.validate(:cmd, "true", [], cgroup_path: "x", cgroup_sets: devices)
    end
  end

  describe "too little memory" do
    @describetag needs(cgroups: ["memory"])

    test "to execute the program is reported as such" do
      with_group(["memory"], fn group ->
        for limit <- [4096, 8192, 16_384] do
          opts = [cgroup_path: group, cgroup: %{memory_max: limit}]

          try do
            # Or the kernel kills it during the exec.
            result = MuonTrap.run("true", [], opts)
            assert {result.exit_status, result.oom_killed} == {137, true}
          rescue
            error in Error ->
              assert error.step == :cgroup
              assert error.message =~ "too little memory in the cgroup to execute /"
          end
        end
      end)
    end
  end

  test "invalid paths", %{tmp_dir: folder} do
    for path <- ["../../x", "/sys/fs/cgroup/x", "", "a/../b", ".", "a\0b"] do
      assert_raise ArgumentError, ~r/:cgroup_path/, fn ->
        MuonTrap.cmd("true", [], cgroup_path: path)
      end

      assert_raise ArgumentError, ~r/:cgroup_base/, fn ->
        Daemon.start_link("true", [], cgroup_base: path)
      end
    end

    # The helper checks them, too.
    for path <- ["../../x", "/sys/fs/cgroup/x", "", "a/../b", ".", "/", "a//b"] do
      file = Path.join(folder, "ran")
      args = ["--group", path, "--", "touch", file]
      assert {text, 125} = MuonTrap.cmd(MuonTrap.muontrap_path(), args, stderr_to_stdout: true)
      assert text =~ "invalid cgroup group"
      refute File.exists?(file)
    end
  end

  @tag needs(cgroups: ["pids"])
  test "the group of the helper, the group of the process that started it, and the groups above",
       %{tmp_dir: folder} do
    with_group(["pids"], fn group ->
      file = Path.join(folder, "ran")
      helper = MuonTrap.muontrap_path()

      # The outer program takes the part of the BEAM.
      for {path, command} <- [
            {group <> "/own", "cgroup-clean --group #{group}/own --controller pids"},
            {group, "cgroup-clean --group #{group} --controller pids"},
            {group <> "/own", "--group #{group}/own --controller pids -- touch '#{file}'"},
            {group, "--group #{group} --controller pids -- touch '#{file}'"}
          ] do
        script = "'#{helper}' #{command}; echo status $?; sleep 0"
        opts = [cgroup_path: group <> "/own", cgroup_controllers: ["pids"]]
        run = &MuonTrap.cmd("sh", ["-c", &1], [stderr_to_stdout: true] ++ opts)
        assert {text, 0} = run.(script)
        assert text =~ "status 125"
        assert text =~ "refusing to use"
        assert text =~ path
      end

      refute File.exists?(file)
    end)
  end

  test "the BEAM's own group", %{tmp_dir: folder} do
    file = Path.join(folder, "ran")

    for line <- File.stream!("/proc/self/cgroup"),
        [_, controllers, "/" <> path] = line |> String.trim() |> String.split(":", parts: 3),
        path != "",
        controller = controllers |> String.split(",") |> hd(),
        controller == "" or controller in v1_controllers() do
      opts = [cgroup_path: path, cgroup_controllers: List.delete([controller], "")]
      error = assert_raise Error, fn -> MuonTrap.cmd("touch", [file], opts) end
      assert error.step == :cgroup
      assert error.errno in [:ebusy, :enoent, :eacces, :erofs]
    end

    refute File.exists?(file)
  end

  @tag needs(cgroups: [])
  test "a user without permission" do
    with_group(fn group ->
      folder = public_folder()
      file = Path.join(folder, "ran")
      args = ["--group", group <> "/x", "--", "touch", file]
      assert {text, 125} = helper_as_nobody(folder, args)
      assert text =~ "Permission denied"
      assert text =~ ~r"/muontrap doctor --base #{group}` tells how to fix it"

      if version("pids") == version("memory") do
        sets = ["--set=pids.max=9", "--set=memory.max=33554432"]
        assert {text, 125} = helper_as_nobody(folder, sets ++ args)
        assert text =~ "no permission for memory, pids: "
        assert text =~ ~r"/muontrap doctor --need memory,pids --base #{group}`"
      end

      refute File.exists?(file)

      for command <- ["cgroup-clean", "cgroup-set", "cgroup-get", "cgroup-stat"] do
        {:ok, daemon} = Daemon.start_link("sleep", ["1000"], cgroup_path: group)

        more =
          case command do
            "cgroup-set" -> ["--set", "cgroup.freeze=1"]
            # The helper tries this long.
            "cgroup-clean" -> ["--timeout", "100"]
            _read -> []
          end

        {text, status} = helper_as_nobody(folder, [command, "--group", group | more])
        if command in ["cgroup-clean", "cgroup-set"], do: assert({_, 125} = {text, status})
        assert alive?(Daemon.program_os_pid(daemon))
        GenServer.stop(daemon)
      end
    end)
  end
end
