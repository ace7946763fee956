# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.HelpersTest do
  # A folder of prebuilt helpers, for a project without the sources of the helper.
  use MuonTrap.BuildCase

  alias MuonTrap.Build.Helpers

  @device "aarch64-unknown-linux-musl"
  @nerves [MIX_TARGET: "rpi4", TARGET_ARCH: "aarch64", TARGET_OS: "linux", TARGET_ABI: "gnu"]

  setup %{dir: dir} do
    project = copy_project(Path.join(dir, "project"), ~w(mix mix.exs Cargo.toml))
    File.mkdir_p!(Path.join(project, "lib"))
    folder = Path.join(dir, "helpers")
    add(folder, host(), "echo for this machine\n")
    add(folder, @device, "echo for the device\n")
    env = [MUONTRAP_HELPERS: folder, PATH: path_without_rust(dir)]
    {:ok, project: project, folder: folder, env: env}
  end

  defp host do
    system = to_string(:erlang.system_info(:system_architecture))
    {machine, 0} = System.cmd("uname", ["-m"])
    hd(Helpers.targets(:host, system, machine))
  end

  # Not executable, as after a download.
  defp add(folder, target, body) do
    name = "muontrap-#{target}"
    helper = script(Path.join(folder, name), body)
    File.chmod!(helper, 0o644)
    {sum, 0} = System.cmd("sha256sum", [name], cd: folder)
    File.write!(Path.join(folder, "SHA256SUMS"), sum, [:append])
    helper
  end

  defp says(project, build \\ "dev") do
    {output, 0} = System.cmd(helper(project, build), [])
    String.trim(output)
  end

  defp helper(project, build),
    do: Path.join(project, "_build/#{build}/lib/muontrap/priv/muontrap")

  test "has a helper for each target, without Rust", %{project: project, env: env} do
    assert {_, 0} = mix(project, ["compile"], env)
    assert says(project) == "for this machine"

    assert {_, 0} = mix(project, ["compile"], env ++ @nerves)
    assert says(project, "rpi4_dev") == "for the device"
    assert mix(project, ["compile"], env) == {"", 0}
  end

  test "can be configured", %{project: project, folder: folder, env: env} do
    write(project, %{
      "config/config.exs" => "import Config\nconfig :muontrap, helpers: #{inspect(folder)}"
    })

    assert {_, 0} = mix(project, ["compile"], Keyword.take(env, [:PATH]))
    assert says(project) == "for this machine"
  end

  test "is not used if a single helper is configured", %{project: project, dir: dir, env: env} do
    single = script(Path.join(dir, "single"), "echo single")
    assert {_, 0} = mix(project, ["compile"], env ++ [MUONTRAP_HELPER: single])
    assert says(project) == "single"
  end

  test "is read again after a change", %{project: project, folder: folder, env: env} do
    assert {_, 0} = mix(project, ["compile"], env)
    File.rm!(Path.join(folder, "SHA256SUMS"))
    add(folder, host(), "echo a new one\n")
    assert {_, 0} = mix(project, ["compile"], env)
    assert says(project) == "a new one"
  end

  test "is refused if a checksum is wrong", %{project: project, folder: folder, env: env} do
    assert {_, 0} = mix(project, ["compile"], env)
    changed = Path.join(folder, "muontrap-#{host()}")
    File.write!(changed, "#!/bin/sh\necho something else\n")

    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ "#{changed} does not match its checksum"
    refute File.exists?(helper(project, "dev"))

    # The others can still be used.
    assert {_, 0} = mix(project, ["compile"], env ++ @nerves)
  end

  test "is refused if a checksum or all checksums are missing", context do
    %{project: project, folder: folder, env: env} = context
    sums = Path.join(folder, "SHA256SUMS")

    File.write!(sums, String.replace(File.read!(sums), host(), "another"))
    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ "muontrap-#{host()} is not in SHA256SUMS"

    File.rm!(sums)
    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ "#{sums} cannot be read: no such file or directory"

    {output, status} = mix(project, ["compile"], Keyword.put(env, :MUONTRAP_HELPERS, "helpers"))
    assert status != 0
    assert output =~ "must be absolute"
  end

  test "is not used if it has no helper for the target: cargo builds it", context do
    %{project: project, folder: folder, env: env} = context
    File.rm!(Path.join(folder, "muontrap-#{host()}"))
    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ ~r/no helper for #{host()}.* in #{folder}/
    assert output =~ "cargo is not installed"
  end

  describe "targets/3" do
    for {system, machine, expected} <- [
          {"x86_64-pc-linux-gnu", "x86_64",
           ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"]},
          {"x86_64-alpine-linux-musl", "x86_64", ["x86_64-unknown-linux-musl"]},
          {"i686-pc-linux-gnu", "x86_64", ["i686-unknown-linux-musl", "i686-unknown-linux-gnu"]},
          {"aarch64-unknown-linux-gnu", "aarch64",
           ["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"]},
          {"arm-unknown-linux-gnueabihf", "armv7l\n",
           ["armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"]},
          {"armv7l-unknown-linux-gnueabihf", "aarch64",
           ["armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"]},
          {"arm-unknown-linux-gnueabihf", "armv6l",
           ["arm-unknown-linux-musleabihf", "arm-unknown-linux-gnueabihf"]},
          {"aarch64-apple-darwin23.1.0", "arm64", ["aarch64-apple-darwin23.1.0"]}
        ] do
      test "on #{system}, #{inspect(machine)}" do
        assert Helpers.targets(:host, unquote(system), unquote(machine)) == unquote(expected)
      end
    end

    test "are the configured target, then that of musl" do
      assert Helpers.targets("armv7-unknown-linux-gnueabihf", "x86_64-pc-linux-gnu", "x86_64") ==
               ["armv7-unknown-linux-gnueabihf", "armv7-unknown-linux-musleabihf"]

      assert Helpers.targets(@device, "x86_64-pc-linux-gnu", "x86_64") == [@device]
    end
  end
end
