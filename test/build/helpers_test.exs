# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.HelpersTest do
  # A folder of ready-built helpers, for a project without the sources of the helper.
  use MuonTrap.BuildCase

  alias MuonTrap.Build.Helpers

  @device "aarch64-unknown-linux-musl"
  @nerves [MIX_TARGET: "rpi4", TARGET_ARCH: "aarch64", TARGET_OS: "linux", TARGET_ABI: "gnu"]

  setup %{dir: dir} do
    parts = ~w(mix mix.exs lib/muontrap/build Cargo.toml)
    project = copy_project(Path.join(dir, "project"), parts)
    folder = Path.join(dir, "helpers")
    add(folder, host(), "echo for this machine\n")
    add(folder, @device, "echo for the device\n")
    path = path_without_rust(dir)

    {:ok,
     project: project, folder: folder, path: path, env: [MUONTRAP_HELPER: folder, PATH: path]}
  end

  defp host do
    system = to_string(:erlang.system_info(:system_architecture))
    {machine, 0} = System.cmd("uname", ["-m"])
    hd(Helpers.targets(:host, system, machine))
  end

  defp add(folder, target, body) do
    name = "muontrap-#{target}.gz"
    File.mkdir_p!(folder)
    File.write!(Path.join(folder, name), :zlib.gzip("#!/bin/sh\n" <> body))
    {sum, 0} = System.cmd("sha256sum", [name], cd: folder)
    File.write!(Path.join(folder, "SHA256SUMS"), sum, [:append])
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

  test "can be configured", %{project: project, folder: folder, path: path} do
    write(project, %{
      "config/config.exs" => "import Config\nconfig :muontrap, helper: #{inspect(folder)}"
    })

    assert {_, 0} = mix(project, ["compile"], PATH: path)
    assert says(project) == "for this machine"
  end

  describe "the folder of the package" do
    setup %{project: project} do
      packaged = Path.join(project, "helpers")
      add(packaged, host(), "echo packaged\n")
      {:ok, packaged: packaged}
    end

    test "is used without configuration", %{project: project, path: path} do
      assert {_, 0} = mix(project, ["compile"], PATH: path)
      assert says(project) == "packaged"
      assert mix(project, ["compile"], PATH: path) == {"", 0}
    end

    test "comes after a configured helper, and before cargo", context do
      %{project: project, env: env, packaged: packaged, path: path} = context
      assert {_, 0} = mix(project, ["compile"], env)
      assert says(project) == "for this machine"

      # The configured folder has none for this target.
      add(packaged, "i686-unknown-linux-musl", "echo packaged for i686\n")
      i686 = [MUONTRAP_CARGO_TARGET: "i686-unknown-linux-gnu"]
      assert {_, 0} = mix(project, ["compile"], env ++ i686)
      assert says(project) == "packaged for i686"

      cargo = script(Path.join(context.dir, "cargo/cargo"), "echo called; exit 1")
      path = Path.dirname(cargo) <> ":" <> path
      assert {output, 0} = mix(project, ["compile"], PATH: path)
      refute output =~ "called"
      assert says(project) == "packaged"
    end

    test "is not used if MUONTRAP_BUILD=1 or build: true asks for cargo", context do
      %{project: project, env: env, path: path} = context
      assert {_, 0} = mix(project, ["compile"], PATH: path)
      {output, status} = mix(project, ["compile"], env ++ [MUONTRAP_BUILD: "1"])
      assert status != 0
      assert output =~ "cargo, which builds the helper, is not installed"

      write(project, %{"config/config.exs" => "import Config\nconfig :muontrap, build: true"})
      {output, status} = mix(project, ["compile"], env)
      assert status != 0
      assert output =~ "cargo, which builds the helper, is not installed"
    end

    test "without a helper for the target needs Rust, and says so first", context do
      %{project: project, path: path} = context
      env = [MIX_TARGET: "router", TARGET_ARCH: "i686", TARGET_ABI: "musl", PATH: path]
      {output, status} = mix(project, ["compile"], env)
      assert status != 0

      assert [_generated, advice] = String.split(output, "Cannot install the helper muontrap. ")

      assert advice =~
               ~r"\AThere is no helper for i686-unknown-linux-musl in .*/helpers, only for #{host()}\.\n"

      assert advice =~ "sh.rustup.rs"
    end
  end

  test "is not used if a single helper is configured", %{project: project, dir: dir, env: env} do
    single = script(Path.join(dir, "single"), "echo single")
    assert {_, 0} = mix(project, ["compile"], Keyword.put(env, :MUONTRAP_HELPER, single))
    assert says(project) == "single"
  end

  test "is read again after a change", %{project: project, folder: folder, env: env} do
    assert {_, 0} = mix(project, ["compile"], env)
    File.rm!(Path.join(folder, "SHA256SUMS"))
    add(folder, host(), "echo a new one\n")
    assert {_, 0} = mix(project, ["compile"], env)
    assert says(project) == "a new one"
  end

  test "says that a helper was never run, when it is installed", context do
    %{project: project, folder: folder, env: env} = context
    File.write!(Path.join(folder, "UNTRIED"), "aarch64-apple-darwin\n#{@device}\n")

    assert {output, 0} = mix(project, ["compile"], env ++ @nerves)

    assert output =~
             "The ready-built helper for #{@device} was built on another system, and never"

    assert says(project, "rpi4_dev") == "for the device"
    assert mix(project, ["compile"], env ++ @nerves) == {"", 0}

    assert {output, 0} = mix(project, ["compile"], env)
    refute output =~ "never run"
  end

  test "is refused if a checksum is wrong", %{project: project, folder: folder, env: env} do
    assert {_, 0} = mix(project, ["compile"], env)
    changed = Path.join(folder, "muontrap-#{host()}.gz")
    File.write!(changed, :zlib.gzip("#!/bin/sh\necho something else\n"))

    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ "#{changed} does not match its checksum"
    refute File.exists?(helper(project, "dev"))

    # The others can still be used.
    assert {_, 0} = mix(project, ["compile"], env ++ @nerves)
  end

  test "is refused if a checksum, a file or all checksums are missing", context do
    %{project: project, folder: folder, env: env} = context
    sums = Path.join(folder, "SHA256SUMS")
    text = File.read!(sums)

    File.write!(sums, String.replace(text, host(), "another"))
    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ "muontrap-#{host()}.gz is not in SHA256SUMS"

    File.write!(sums, text)
    File.rm!(Path.join(folder, "muontrap-#{host()}.gz"))
    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ "muontrap-#{host()}.gz cannot be read: no such file or directory"

    File.rm!(sums)
    {output, status} = mix(project, ["compile"], env)
    assert status != 0
    assert output =~ "#{sums} cannot be read: no such file or directory"

    {output, status} = mix(project, ["compile"], Keyword.put(env, :MUONTRAP_HELPER, "helpers"))
    assert status != 0
    assert output =~ "must be absolute"
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
          {"riscv64-unknown-linux-gnu", "riscv64",
           ["riscv64gc-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"]},
          {"aarch64-apple-darwin23.1.0", "arm64", ["aarch64-apple-darwin"]},
          {"x86_64-apple-darwin22.6.0", "x86_64", ["x86_64-apple-darwin"]},
          {"amd64-portbld-freebsd14.1", "amd64", ["x86_64-unknown-freebsd"]},
          {"x86_64-unknown-freebsd14.1", "amd64", ["x86_64-unknown-freebsd"]},
          {"win32", "", ["win32"]}
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
