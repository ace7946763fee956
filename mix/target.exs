# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Target do
  @moduledoc false
  # The Rust target of the helper, and the environment in which cargo builds for it. These are pure
  # functions of the environment variables: nothing here reads the environment or runs a program.
  #
  # Nerves sets `TARGET_ARCH`, `TARGET_CPU`, `TARGET_OS` and `TARGET_ABI`
  # (https://hexdocs.pm/nerves/environment-variables.html). Systems without these set `CROSSCOMPILE`, for
  # example to `/path/to/armv7-nerves-linux-gnueabihf`. Both are translated to a Rust target, see
  # https://doc.rust-lang.org/rustc/platform-support.html.

  @type env :: %{optional(String.t()) => String.t()}
  @type choice :: :host | String.t()

  @architectures %{
    "aarch64" => "aarch64",
    "arm64" => "aarch64",
    "riscv64" => "riscv64gc",
    "x86_64" => "x86_64",
    "i586" => "i586",
    "i686" => "i686",
    "armv5" => "armv5te",
    "armv6" => "arm",
    "armv7" => "armv7"
  }

  # These would also apply to programs for this machine, such as build scripts.
  @compiler_variables ~w(CC CXX AR CFLAGS CXXFLAGS)
  @linker_variables ~w(LD LDFLAGS CPPFLAGS STRIP RANLIB)

  @doc """
  Chooses the Rust target to build for.

  The choice of the user (`config :muontrap, cargo_target: "..."`, `MUONTRAP_CARGO_TARGET`,
  `CARGO_BUILD_TARGET`) comes first, then that of Nerves, then this machine.
  """
  @spec choose(env, String.t() | nil, atom) :: {:ok, choice} | {:error, String.t()}
  def choose(env, configured, mix_target) do
    cond do
      explicit = configured || env["MUONTRAP_CARGO_TARGET"] || env["CARGO_BUILD_TARGET"] ->
        {:ok, explicit}

      mix_target != :host and env["TARGET_ARCH"] != nil ->
        triple(env["TARGET_ARCH"], env["TARGET_OS"], env["TARGET_ABI"], env)

      mix_target != :host and env["CROSSCOMPILE"] != nil ->
        from_toolchain(env["CROSSCOMPILE"], env)

      true ->
        {:ok, :host}
    end
  end

  @doc """
  The changes to cargo's environment when it builds for `triple` on `host`.

  The cross-compiler becomes the linker for `triple` alone. Build scripts are built for `host`, and would
  not work with the cross-compiler's variables.
  """
  @spec cargo_env(env, String.t(), String.t(), atom) :: [{String.t(), String.t() | nil}]
  def cargo_env(env, triple, host, mix_target) do
    cross? = triple != host or (mix_target != :host and env["CROSSCOMPILE"] != nil)
    if cross?, do: cross_env(env, triple, host), else: []
  end

  defp cross_env(env, triple, host) do
    underscored = String.replace(triple, "-", "_")
    prefix = "CARGO_TARGET_" <> String.upcase(underscored)

    moved = for name <- @compiler_variables, env[name], do: {"#{name}_#{underscored}", env[name]}
    removed = for name <- @compiler_variables ++ @linker_variables, env[name], do: {name, nil}

    moved ++ removed ++ linker(env, prefix, triple, host)
  end

  defp linker(env, prefix, triple, host) do
    cc = env["CC"] || (env["CROSSCOMPILE"] && env["CROSSCOMPILE"] <> "-gcc")
    sysroot = env["NERVES_SDK_SYSROOT"]

    {linker, linker_flag} =
      cond do
        # cargo does not accept a linker with arguments.
        cc == nil or cc =~ " " or env[prefix <> "_LINKER"] -> {[], []}
        # The variable would also apply to build scripts.
        triple == host -> {[], ["-C", "linker=" <> cc]}
        true -> {[{prefix <> "_LINKER", cc}], []}
      end

    case linker_flag ++ if(sysroot, do: ["-C", "link-arg=--sysroot=" <> sysroot], else: []) do
      [] ->
        linker

      flags ->
        flags = Enum.join(List.wrap(env[prefix <> "_RUSTFLAGS"]) ++ flags, " ")
        linker ++ [{prefix <> "_RUSTFLAGS", flags}]
    end
  end

  defp from_toolchain(crosscompile, env) do
    case crosscompile |> Path.basename() |> String.split("-") do
      [arch, _vendor, os, abi] -> triple(arch, os, abi, env)
      [arch, os, abi] -> triple(arch, os, abi, env)
      _ -> unknown("CROSSCOMPILE is #{inspect(crosscompile)}")
    end
  end

  defp triple(arch, os, abi, env) do
    case {rust_arch(arch, env), os || "linux", abi || "gnu"} do
      {{:ok, arch}, "linux", abi} -> {:ok, "#{arch}-unknown-linux-#{abi}"}
      _ -> unknown("TARGET_ARCH is #{inspect(arch)} and TARGET_OS is #{inspect(os)}")
    end
  end

  # For plain "arm", the processor decides, or else the compiler's name. Rust's "arm" is ARMv6, which
  # also runs on ARMv7.
  defp rust_arch("arm", env) do
    case {env["TARGET_CPU"] || "", Path.basename(env["CROSSCOMPILE"] || "")} do
      {"cortex_a" <> _, _} -> {:ok, "armv7"}
      {"cortex-a" <> _, _} -> {:ok, "armv7"}
      {"arm9" <> _, _} -> {:ok, "armv5te"}
      {"arm11" <> _, _} -> {:ok, "arm"}
      {_, "armv7" <> _} -> {:ok, "armv7"}
      {_, "armv5" <> _} -> {:ok, "armv5te"}
      _ -> {:ok, "arm"}
    end
  end

  defp rust_arch(arch, _env), do: Map.fetch(@architectures, arch)

  defp unknown(what) do
    {:error,
     "The Rust target is unknown: #{what}. Set MUONTRAP_CARGO_TARGET, or " <>
       "\"config :muontrap, cargo_target:\", to one that \"rustc --print target-list\" prints."}
  end
end
