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
  # it only compares with the last build; the rest is loaded if anything has changed.
  @compile {:no_warn_undefined, MuonTrap.Build.Origin}

  @recursive true
  @source Path.dirname(__DIR__)
  # Has to change with the format of the manifest, and when an equal origin leads to another helper.
  @version 3

  # The variables with an effect on the helper, not those on where and how fast cargo builds.
  @names ~w(MUONTRAP_BUILD MUONTRAP_CARGO_TARGET MUONTRAP_HELPER) ++
           ~w(CC CXX AR CFLAGS CXXFLAGS LD LDFLAGS CPPFLAGS STRIP RANLIB) ++
           ~w(CROSSCOMPILE NERVES_SDK_SYSROOT TARGET_ARCH TARGET_CPU TARGET_OS TARGET_ABI) ++
           ~w(RUSTC RUSTC_WRAPPER RUSTFLAGS RUSTUP_TOOLCHAIN RUSTC_BOOTSTRAP)
  @prefixes ~w(CARGO_BUILD_ CARGO_ENCODED_ CARGO_PROFILE_ CARGO_TARGET_ CARGO_UNSTABLE_)
  @irrelevant ~w(CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_BUILD_DIR CARGO_BUILD_JOBS)

  @impl true
  def run(args) do
    settings = settings()
    forced? = "--force" in args

    case read_manifest() do
      %{settings: ^settings, files: files} when not forced? ->
        if Enum.all?(files, fn {path, stat} -> stat != :recent and stat(path) == stat end),
          do: {:noop, []},
          else: update(settings, forced?)

      _ ->
        update(settings, forced?)
    end
  end

  @impl true
  def manifests, do: [manifest()]

  @impl true
  def clean do
    # This succeeds only if priv is a link, left from a time with a priv folder among the sources.
    File.rm(Path.dirname(helper()))
    File.rm(helper())
    File.rm(manifest())
    :ok
  end

  @doc false
  # The configuration and the variables with an effect on the helper. An empty variable counts as unset.
  def settings(env \\ System.get_env()) do
    config =
      for key <- [:build, :helper, :cargo_target], do: {key, Application.get_env(:muontrap, key)}

    env = for {name, value} <- env, value != "", relevant?(name), do: {name, value}

    %{
      config: Map.new(config),
      env: Map.new(env),
      mix_target: Mix.target(),
      system: to_string(:erlang.system_info(:system_architecture))
    }
  end

  defp relevant?(name),
    do: name in @names or (String.starts_with?(name, @prefixes) and name not in @irrelevant)

  # If the origin is the same as in the manifest, only modification times have changed, as after a checkout.
  defp update(settings, forced?) do
    for file <- ~w(target linkage cargo helpers origin),
        do: Code.require_file("#{file}.exs", __DIR__)

    now = System.os_time(:second)

    with {:ok, found} <- MuonTrap.Build.Origin.find(@source, settings),
         status when is_atom(status) <- install(found, forced?) do
      files =
        for path <- Enum.map(~w(priv helpers/SHA256SUMS), &Path.join(@source, &1)) ++ found.files,
            into: %{helper() => stat(helper())},
            do: {path, settled(stat(path), now)}

      write_manifest(%{
        settings: settings,
        files: files,
        origin: found.origin,
        installed: installed()
      })

      {status, []}
    else
      {:error, message} -> failed(message)
    end
  end

  # A file can change again within the second in which it was looked at.
  defp settled(%{ctime: ctime}, now) when ctime >= now, do: :recent
  defp settled(stat, _now), do: stat

  defp install(found, forced?) do
    if not forced? and installed?(found.origin), do: :noop, else: fetch(found)
  end

  defp installed?(origin) do
    case read_manifest() do
      %{origin: ^origin, installed: installed} -> installed == installed()
      _ -> false
    end
  end

  defp fetch(found) do
    # First, so that a failed or killed build leaves no outdated helper.
    clean()
    File.mkdir_p!(Path.dirname(helper()))
    # Renamed when it is complete.
    temporary = helper() <> ".new"

    with :ok <- MuonTrap.Build.Origin.fetch(found, @source, cargo_dir(), temporary) do
      File.chmod!(temporary, 0o755)
      File.rename!(temporary, helper())
      :ok
    end
  end

  defp failed(message) do
    clean()
    Mix.shell().error("Cannot install the helper muontrap. " <> message)

    diagnostic = %Mix.Task.Compiler.Diagnostic{
      compiler_name: "muontrap_helper",
      file: Path.join(@source, "Cargo.toml"),
      message: message,
      position: 0,
      severity: :error
    }

    {:error, [diagnostic]}
  end

  defp cargo_dir do
    configured = env("CARGO_TARGET_DIR") || env("CARGO_BUILD_TARGET_DIR")

    cond do
      configured -> Path.expand(configured, @source)
      # The parent of this folder may be anything, for example /tmp.
      env("MIX_BUILD_PATH") -> Path.join(Mix.Project.build_path(), "muontrap_cargo")
      true -> Mix.Project.build_path() |> Path.dirname() |> Path.join("muontrap_cargo")
    end
  end

  defp env(name), do: if(System.get_env(name) not in [nil, ""], do: System.get_env(name))

  defp helper, do: Path.join([Mix.Project.app_path(), "priv", "muontrap"])
  defp manifest, do: Path.join(Mix.Project.manifest_path(), "compile.muontrap_helper")

  defp stat(path) do
    case :file.read_file_info(path, [:raw, time: :posix]) do
      {:ok, info} -> %{File.Stat.from_record(info) | atime: nil}
      {:error, reason} -> reason
    end
  end

  # Identifies the installed helper, also when the build folder was copied, or says why there is none.
  defp installed do
    with %{size: size, mtime: mtime, mode: mode} <- stat(helper()), do: {size, mtime, mode}
  end

  defp read_manifest do
    with {:ok, binary} <- File.read(manifest()),
         {@version, state} <- :erlang.binary_to_term(binary) do
      state
    else
      _ -> nil
    end
  end

  defp write_manifest(state) do
    File.mkdir_p!(Path.dirname(manifest()))
    File.write!(manifest(), :erlang.term_to_binary({@version, state}))
  end
end
