# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.TargetTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Build.{Helpers, Target}

  defp nerves(arch, cpu, abi) do
    env = %{"TARGET_ARCH" => arch, "TARGET_OS" => "linux", "TARGET_ABI" => abi}
    if cpu, do: Map.put(env, "TARGET_CPU", cpu), else: env
  end

  describe "choose/3" do
    test "is this machine by default" do
      assert Target.choose(%{"CC" => "clang"}, nil, :host) == {:ok, :host}
    end

    test "is this machine for a Mix target other than those of Nerves" do
      assert Target.choose(%{}, nil, :embedded) == {:ok, :host}
    end

    @v6 "arm-unknown-linux-gnueabihf"
    @v7 "armv7-unknown-linux-gnueabihf"
    @aarch64 "aarch64-unknown-linux-gnu"
    @riscv64 "riscv64gc-unknown-linux-gnu"

    # The variables of Nerves systems (nerves_package in their mix.exs), the Rust target, and the target of the
    # ready-built helper.
    for {system, arch, cpu, abi, triple, helper} <- [
          {:rpi, "arm", "arm1176jzf_s", "gnueabihf", @v6, "arm-unknown-linux-musleabihf"},
          {:rpi0, "arm", "arm1176jzf_s", "gnueabihf", @v6, "arm-unknown-linux-musleabihf"},
          {:rpi2, "arm", "cortex_a53", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:rpi3, "arm", "cortex_a53", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:rpi3a, "arm", "cortex_a53", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:bbb, "arm", "cortex_a8", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:osd32mp1, "arm", "cortex_a7", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:grisp2, "arm", "cortex_a7", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:npi_imx6ull, "arm", "cortex_a7", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:trellis, "arm", "cortex_a7", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:srhub, "arm", "cortex_a8", "gnueabihf", @v7, "armv7-unknown-linux-musleabihf"},
          {:rpi0_2, "aarch64", "cortex_a53", "gnu", @aarch64, "aarch64-unknown-linux-musl"},
          {:rpi4, "aarch64", "cortex_a72", "gnu", @aarch64, "aarch64-unknown-linux-musl"},
          {:rpi5, "aarch64", "cortex_a76", "gnu", @aarch64, "aarch64-unknown-linux-musl"},
          {:qemu_aarch64, "aarch64", "cortex_a53", "gnu", @aarch64, "aarch64-unknown-linux-musl"},
          {:mangopi_mq_pro, "riscv64", "baseline_rv64", "gnu", @riscv64,
           "riscv64gc-unknown-linux-musl"},
          {:x86_64, "x86_64", nil, "musl", "x86_64-unknown-linux-musl",
           "x86_64-unknown-linux-musl"},
          {:ev3, "arm", "arm926ej_s", "gnueabi", "armv5te-unknown-linux-gnueabi",
           "armv5te-unknown-linux-musleabi"}
        ] do
      test "understands the variables of #{system}" do
        env = nerves(unquote(arch), unquote(cpu), unquote(abi))
        assert {:ok, triple} = Target.choose(env, nil, unquote(system))
        assert triple == unquote(triple)
        assert unquote(helper) in Helpers.targets(triple, "x86_64-pc-linux-gnu", "")
      end
    end

    for {crosscompile, triple} <- [
          {"/t/bin/armv6-nerves-linux-gnueabihf", "arm-unknown-linux-gnueabihf"},
          {"/t/bin/armv7-nerves-linux-gnueabihf", "armv7-unknown-linux-gnueabihf"},
          {"/t/bin/armv5-nerves-linux-musleabi", "armv5te-unknown-linux-musleabi"},
          {"/t/bin/aarch64-nerves-linux-gnu", "aarch64-unknown-linux-gnu"},
          # nerves_system_vultr sets nothing else.
          {"/t/bin/x86_64-unknown-linux-musl", "x86_64-unknown-linux-musl"},
          {"aarch64-linux-gnu", "aarch64-unknown-linux-gnu"}
        ] do
      test "understands CROSSCOMPILE=#{crosscompile}" do
        env = %{"CROSSCOMPILE" => unquote(crosscompile)}
        assert Target.choose(env, nil, :device) == {:ok, unquote(triple)}
      end
    end

    test "recognises ARMv7 by the compiler if the processor is unknown" do
      env =
        Map.put(nerves("arm", "", "gnueabihf"), "CROSSCOMPILE", "/t/armv7-nerves-linux-gnueabihf")

      assert Target.choose(env, nil, :device) == {:ok, "armv7-unknown-linux-gnueabihf"}
    end

    test "ignores the variables of a cross build when Mix builds for this machine" do
      assert Target.choose(nerves("aarch64", "cortex_a72", "gnu"), nil, :host) == {:ok, :host}
    end

    test "prefers the choice of the user, the configuration first" do
      env = Map.put(nerves("aarch64", "cortex_a72", "gnu"), "CARGO_BUILD_TARGET", "three")
      assert Target.choose(env, nil, :rpi4) == {:ok, "three"}

      env = Map.put(env, "MUONTRAP_CARGO_TARGET", "two")
      assert Target.choose(env, nil, :rpi4) == {:ok, "two"}
      assert Target.choose(env, "one", :rpi4) == {:ok, "one"}
    end

    test "reports how to fix an unknown architecture" do
      assert {:error, message} = Target.choose(nerves("mips", "24kc", "musl"), nil, :router)
      assert message =~ ~s(TARGET_ARCH is "mips")
      assert message =~ "MUONTRAP_CARGO_TARGET"
    end
  end

  describe "cargo_env/4" do
    @host "x86_64-unknown-linux-gnu"
    @device "aarch64-unknown-linux-gnu"

    defp cargo_env(env, triple, mix_target),
      do: Map.new(Target.cargo_env(env, triple, @host, mix_target))

    test "is empty for this machine" do
      assert cargo_env(%{"CC" => "clang", "CFLAGS" => "-g"}, @host, :host) == %{}
    end

    test "makes the cross-compiler the linker of that target only, with its sysroot" do
      env = %{"CC" => "/t/aarch64-gcc", "NERVES_SDK_SYSROOT" => "/sysroot", "LDFLAGS" => "-s"}

      assert cargo_env(env, @device, :rpi4) == %{
               "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER" => "/t/aarch64-gcc",
               "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS" =>
                 "-C link-arg=--sysroot=/sysroot",
               "CC" => nil,
               "CC_aarch64_unknown_linux_gnu" => "/t/aarch64-gcc",
               "LDFLAGS" => nil
             }
    end

    test "takes the compiler from CROSSCOMPILE if there is no CC" do
      env = cargo_env(%{"CROSSCOMPILE" => "/t/aarch64-nerves-linux-gnu"}, @device, :rpi4)

      assert env["CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"] ==
               "/t/aarch64-nerves-linux-gnu-gcc"
    end

    test "keeps a linker and flags that are configured for the target" do
      env = %{
        "CC" => "/t/gcc",
        "NERVES_SDK_SYSROOT" => "/sysroot",
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER" => "/mine",
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS" => "-C opt-level=z"
      }

      changed = cargo_env(env, @device, :rpi4)
      refute Map.has_key?(changed, "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER")

      assert changed["CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS"] ==
               "-C opt-level=z -C link-arg=--sysroot=/sysroot"
    end

    test "does not link build scripts with the cross-compiler of a similar machine" do
      env = %{"CC" => "/t/gcc", "CROSSCOMPILE" => "/t/x86_64-nerves-linux-gnu"}

      assert cargo_env(env, @host, :x86_64) == %{
               "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS" => "-C linker=/t/gcc",
               "CC" => nil,
               "CC_x86_64_unknown_linux_gnu" => "/t/gcc"
             }
    end
  end

  test "settings/2 has the variables with an effect on the helper, not those on where and how fast it is built" do
    env = %{
      "CARGO_TARGET_DIR" => "/x",
      "CARGO_BUILD_JOBS" => "2",
      "CARGO_PROFILE_RELEASE_LTO" => "off",
      "HOME" => "/root",
      "MUONTRAP_BUILD" => "",
      "RUSTFLAGS" => "-g",
      "TARGET_CPU" => "cortex_a8"
    }

    assert MuonTrap.Build.Manifest.settings(env, :host).env == %{
             "CARGO_PROFILE_RELEASE_LTO" => "off",
             "RUSTFLAGS" => "-g",
             "TARGET_CPU" => "cortex_a8"
           }
  end
end
