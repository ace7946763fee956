# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Mix.Tasks.Compile.MuontrapHelper do
  @moduledoc """
  Builds `muontrap`, the helper written in Rust, with cargo.

  The helper is put in the `priv` folder of the *built* application, for example
  `_build/dev/lib/muontrap/priv`. Each `MIX_ENV` and `MIX_TARGET` has its own build folder, and so its own
  helper. A `priv` folder among the sources would be shared by all, since Mix links it into each build.

  Cargo is called only after a change of the Rust sources, `Cargo.toml`, `Cargo.lock`, the target, the
  environment variables that cargo, rustc and Nerves read, or the helper itself. When the build fails, an
  old helper is removed.

  The helper is linked statically if possible, with musl if Rust's standard library for it is installed
  (`rustup target add x86_64-unknown-linux-musl`), unless a target is configured or `RUSTFLAGS` contain
  `crt-static`.

  ## Configuration

    * `config :muontrap, helper: "/path"`, or `MUONTRAP_HELPER=/path`: the absolute path of a helper
      that was built elsewhere. It is copied, and cargo is not called.
    * `config :muontrap, helpers: "/folder"`, or `MUONTRAP_HELPERS=/folder`: the absolute path of a
      folder with helpers for several targets, as `scripts/build-release` creates it:
      `muontrap-x86_64-unknown-linux-musl` and so on, and their checksums in `SHA256SUMS`. The helper
      for the target is copied. A wrong or missing checksum is an error. If there is no helper for the
      target, cargo builds it.
    * `config :muontrap, cargo_target: "..."`, or `MUONTRAP_CARGO_TARGET=...`: the Rust target to
      build for. By default, it is derived from Nerves' variables, or is this machine.
    * `CARGO_TARGET_DIR`: cargo's target folder, by default `_build/muontrap_cargo`, which all
      environments and targets can share.

  The configuration takes precedence over the environment variables.
  """
  use Mix.Task.Compiler

  alias MuonTrap.Build.{Cargo, Helpers, Target}

  @recursive true
  @source Path.dirname(__DIR__)
  @manifest "compile.muontrap_helper"
  # Has to change with the format of the manifest, and when equal plans lead to another helper.
  @manifest_version 2

  @impl true
  def run(args) do
    with :ok <- check_no_source_priv(),
         {:ok, plan} <- plan() do
      if "--force" not in args and read_manifest() == {plan, installed()},
        do: {:noop, []},
        else: install(plan)
    else
      {:error, message} -> failed(message)
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

  # How to get the helper, and everything that it depends on. If the manifest has an equal plan, there is
  # nothing to do.
  defp plan do
    case Application.get_env(:muontrap, :helper) || env()["MUONTRAP_HELPER"] do
      nil -> plan_for_target()
      path -> prebuilt_plan(to_string(path))
    end
  end

  defp plan_for_target do
    configured = Application.get_env(:muontrap, :cargo_target)

    with {:ok, target} <- Target.choose(env(), configured, Mix.target()) do
      case Application.get_env(:muontrap, :helpers) || env()["MUONTRAP_HELPERS"] do
        nil -> {:ok, cargo_plan(target)}
        folder -> helpers_plan(to_string(folder), target)
      end
    end
  end

  defp cargo_plan(target), do: {:cargo, target, Target.relevant(env()), source_digest()}

  defp helpers_plan(folder, target) do
    system = to_string(:erlang.system_info(:system_architecture))
    targets = Helpers.targets(target, system, machine())

    case Helpers.find(folder, targets) do
      {:ok, path, sum} ->
        {:ok, {:verified, path, sum}}

      :none ->
        {:ok, {:none_of, targets, folder, cargo_plan(target)}}

      {:error, message} ->
        {:error, message}
    end
  end

  defp machine do
    case System.find_executable("uname") do
      nil -> ""
      uname -> uname |> System.cmd(["-m"]) |> elem(0)
    end
  end

  # An empty variable counts as unset.
  defp env,
    do: for({name, value} when value != "" <- System.get_env(), into: %{}, do: {name, value})

  defp prebuilt_plan(path) do
    case Path.type(path) == :absolute and File.stat(path) do
      false ->
        {:error, "The path of the helper must be absolute, got: #{inspect(path)}"}

      {:ok, %{type: :regular, mode: mode} = stat} when rem(div(mode, 0o100), 2) == 1 ->
        {:ok, {:prebuilt, path, stat.size, stat.mtime}}

      {:ok, _} ->
        {:error, "The helper #{path} is not an executable file."}

      {:error, reason} ->
        {:error, "The helper #{path} cannot be used: #{:file.format_error(reason)}"}
    end
  end

  defp install(plan) do
    # First, so that a failed or killed build leaves no outdated helper.
    clean()

    case make(plan) do
      {:ok, built} ->
        File.mkdir_p!(Path.dirname(helper()))
        # Renamed after copying, so that there is never an incomplete helper.
        temporary = helper() <> ".new"
        File.cp!(built, temporary)
        File.chmod!(temporary, 0o755)
        File.rename!(temporary, helper())
        write_manifest({plan, installed()})
        {:ok, []}

      {:error, message} ->
        failed(message)
    end
  end

  defp make({:prebuilt, path, _size, _mtime}), do: {:ok, path}
  defp make({:verified, path, _sum}), do: {:ok, path}

  defp make({:none_of, targets, folder, plan}) do
    Mix.shell().info("There is no helper for #{Enum.join(targets, " or ")} in #{folder}")
    make(plan)
  end

  defp make({:cargo, target, _env, digest}) do
    for_target = if target == :host, do: "", else: " for #{target}"
    Mix.shell().info("Building the helper muontrap with cargo#{for_target}")
    Cargo.build(@source, target, cargo_dir(), digest)
  end

  defp failed(message) do
    clean()
    Mix.shell().error("Cannot build the helper muontrap. " <> message)

    diagnostic = %Mix.Task.Compiler.Diagnostic{
      compiler_name: "muontrap_helper",
      file: Path.join(@source, "Cargo.toml"),
      message: message,
      position: 0,
      severity: :error
    }

    {:error, [diagnostic]}
  end

  defp check_no_source_priv do
    priv = Path.join(@source, "priv")

    if File.exists?(priv),
      do: {:error, "Remove #{priv}: Mix would make all builds share it, whatever their target."},
      else: :ok
  end

  # Everything that cargo reads for the helper. Modification times do not count: a checkout changes them.
  defp source_digest do
    ~w(Cargo.toml Cargo.lock build.rs .cargo/* src/**/*.rs)
    |> Enum.flat_map(&Path.wildcard(Path.join(@source, &1), match_dot: true))
    |> Enum.map(&[Path.relative_to(&1, @source), 0, :erlang.md5(File.read!(&1))])
    |> :erlang.md5()
    |> Base.encode16()
  end

  defp cargo_dir do
    configured = env()["CARGO_TARGET_DIR"] || env()["CARGO_BUILD_TARGET_DIR"]

    cond do
      configured -> Path.expand(configured, @source)
      # The parent of this folder may be anything, for example /tmp.
      env()["MIX_BUILD_PATH"] -> Path.join(Mix.Project.build_path(), "muontrap_cargo")
      true -> Mix.Project.build_path() |> Path.dirname() |> Path.join("muontrap_cargo")
    end
  end

  defp helper, do: Path.join([Mix.Project.app_path(), "priv", "muontrap"])
  defp manifest, do: Path.join(Mix.Project.manifest_path(), @manifest)

  # Identifies the installed helper, or says why there is none.
  defp installed do
    case File.stat(helper()) do
      {:ok, stat} -> {stat.size, stat.mtime, stat.mode}
      {:error, reason} -> reason
    end
  end

  defp read_manifest do
    with {:ok, binary} <- File.read(manifest()),
         {@manifest_version, state} <- :erlang.binary_to_term(binary) do
      state
    else
      _ -> nil
    end
  end

  defp write_manifest(state) do
    File.mkdir_p!(Path.dirname(manifest()))
    File.write!(manifest(), :erlang.term_to_binary({@manifest_version, state}))
  end
end
