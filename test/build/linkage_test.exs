# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.LinkageTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Build.Linkage

  @host "x86_64-unknown-linux-gnu"
  @musl "x86_64-unknown-linux-musl"
  @device "armv7-unknown-linux-gnueabihf"

  defp targets(env, choice, host \\ @host),
    do: for({triple, _flags} <- Linkage.attempts(env, choice, host), do: triple)

  describe "attempts/3" do
    test "prefers musl for this machine, and always links statically" do
      assert [{@musl, flags}, {@host, flags}] = Linkage.attempts(%{}, :host, @host)
      assert "target-feature=+crt-static" in flags

      assert targets(%{}, :host, "armv7-unknown-linux-gnueabihf") ==
               ["armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"]
    end

    test "has one result if the C library of this machine is musl" do
      assert targets(%{}, :host, "x86_64-alpine-linux-musl") == ["x86_64-alpine-linux-musl"]
    end

    test "keeps the configured target" do
      assert targets(%{}, @device) == [@device]
      assert targets(%{}, @host) == [@host]
    end

    test "is empty on other systems" do
      assert targets(%{}, :host, "aarch64-apple-darwin") == []
      assert targets(%{}, "x86_64-unknown-freebsd") == []
    end

    test "is empty if the user has chosen" do
      for name <- ~w(RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS),
          sign <- ["+", "-"] do
        assert targets(%{name => "-g -C target-feature=#{sign}crt-static"}, :host) == []
      end

      assert targets(%{"RUSTFLAGS" => "-g"}, :host) == [@musl, @host]
    end

    test "keeps a target with a configured linker or flags" do
      env = %{"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER" => "clang"}
      assert targets(env, :host) == [@host]
      assert targets(%{"CARGO_TARGET_DIR" => "/tmp"}, :host) == [@musl, @host]
    end
  end

  describe "note/2" do
    test "says what to install, if this helps" do
      note = Linkage.note(Linkage.attempts(%{}, :host, @host), :host)
      assert note =~ "rustup target add #{@musl}"
      assert note =~ "libc6-dev"
      assert Linkage.note(Linkage.attempts(%{}, @device, @host), @device) =~ @device
    end

    test "is nil if dynamic linking is the only way, or the choice of the user" do
      assert Linkage.note([], :host) == nil
    end
  end
end
