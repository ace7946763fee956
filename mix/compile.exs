# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Mix.Tasks.Compile.MuontrapHelper do
  @moduledoc """
  Installs `muontrap`, the helper written in Rust.

  The helper is put in the `priv` folder of the *built* application, for example
  `_build/dev/lib/muontrap/priv`. Each `MIX_ENV` and `MIX_TARGET` has its own build folder, and so its own
  helper. A `priv` folder among the sources would be shared by all, since Mix links it into each build.

  The first of these that applies decides where the helper comes from:

    1. `config :muontrap, build: true`, or `MUONTRAP_BUILD=1`: cargo builds it.
    2. `config :muontrap, helper: "/path"`, or `MUONTRAP_HELPER=/path`: it was built elsewhere. The absolute
       path is that of a helper, which is copied, or of a folder of helpers for several targets, as
       `scripts/build-release` creates it: `muontrap-x86_64-unknown-linux-musl.gz` and so on, and their
       checksums in `SHA256SUMS`. The helper for the target is unpacked.
    3. The package has a ready-built helper for the target, in its folder `helpers`.
    4. Otherwise, cargo builds it.

  A wrong or missing checksum is an error. The target is `config :muontrap, cargo_target: "..."`,
  `MUONTRAP_CARGO_TARGET=...`, that of Nerves' variables, or this machine. The configuration takes
  precedence over the environment variables.

  Cargo is called only after a change of the Rust sources, `Cargo.toml`, `Cargo.lock`, the target, the
  environment variables that cargo, rustc and Nerves read, or the helper itself. `CARGO_TARGET_DIR` is its
  target folder, by default `_build/muontrap_cargo`, which all environments and targets can share. The
  helper is linked statically if possible, with musl if Rust's standard library for it is installed
  (`rustup target add x86_64-unknown-linux-musl`), unless a target is configured or `RUSTFLAGS` contain
  `crt-static`.

  When no helper can be installed, an old one is removed.
  """
  use Mix.Task.Compiler

  # Mix compiles this file whenever it loads mix.exs, in each build of a project that depends on MuonTrap. So
  # what finds that nothing has changed is compiled with the library, and the rest is loaded after a change.
  alias MuonTrap.Build.{Installation, Manifest}
  @compile {:no_warn_undefined, [Installation, Manifest]}

  @recursive true
  @source Path.dirname(__DIR__)

  @impl true
  def run(args) do
    settings = Manifest.settings(System.get_env(), Mix.target())
    forced? = "--force" in args

    if not forced? and Manifest.current?(manifest(), settings) do
      {:noop, []}
    else
      load_installation()
      Installation.update(@source, helper(), manifest(), settings, forced?)
    end
  end

  @impl true
  def manifests, do: [manifest()]

  @impl true
  def clean do
    load_installation()
    Installation.remove(helper(), manifest())
  end

  defp load_installation do
    for file <- ~w(target linkage cargo helpers origin installation),
        do: Code.require_file("#{file}.exs", __DIR__)
  end

  defp helper, do: Path.join([Mix.Project.app_path(), "priv", "muontrap"])
  defp manifest, do: Path.join(Mix.Project.manifest_path(), "compile.muontrap_helper")
end
