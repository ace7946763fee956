# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Mix.Tasks.Compile.MuontrapHelper do
  @moduledoc """
  Builds `muontrap`, the helper written in Rust, with cargo.

  The helper is put in the `priv` folder of the *built* application, `_build/dev/lib/muontrap/priv`
  say. Each `MIX_ENV` and `MIX_TARGET` has a build folder of its own, and so a helper of its own.
  A `priv` folder among the sources would be one for all, since Mix links it into each of them.

  Nothing is done while nothing changed: the Rust sources, `Cargo.toml`, `Cargo.lock`, the target,
  the variables that cargo, rustc and Nerves read, and the helper itself. cargo is not even called.
  When the build fails, no helper is left, rather than an old one.

  It is linked statically where that works, with musl if its standard library is installed
  (`rustup target add x86_64-unknown-linux-musl`), unless a target is asked for or `RUSTFLAGS` say
  something about `crt-static`.

  ## Configuration

    * `config :muontrap, helper: "/path"`, or `MUONTRAP_HELPER=/path`: an absolute path of a helper
      that was built elsewhere. It is copied, and cargo is not called.
    * `config :muontrap, helpers: "/folder"`, or `MUONTRAP_HELPERS=/folder`: the absolute path of a
      folder with helpers for several targets, as `scripts/build-release` makes it:
      `muontrap-x86_64-unknown-linux-musl` and so on, and their checksums in `SHA256SUMS`. The one
      for the target is copied. When its checksum is wrong or missing, that is an error. When there
      is none for the target, cargo builds it.
    * `config :muontrap, cargo_target: "..."`, or `MUONTRAP_CARGO_TARGET=...`: the Rust target to
      build for. By default it follows from Nerves' variables, or is this machine.
    * `CARGO_TARGET_DIR`: where cargo works, by default in `_build/muontrap_cargo`, which all
      environments and targets share. cargo tells them apart.

  The configuration wins where both are given.
  """
  use Mix.Task.Compiler

  alias MuonTrap.Build.{Cargo, Helpers, Target}

  @recursive true
  @source Path.dirname(__DIR__)
  @manifest "compile.muontrap_helper"
  # Changes when the meaning of the manifest does, or the way in which the same plan is carried out.
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
    # Should that be a link, from a time with a priv folder among the sources: only the link.
    File.rm(Path.dirname(helper()))
    File.rm(helper())
    File.rm(manifest())
    :ok
  end

  # What is to be done, with all that it depends on: an equal plan was carried out before or not.
  defp plan do
    case Application.get_env(:muontrap, :helper) || env()["MUONTRAP_HELPER"] do
      nil -> plan_for_target()
      path -> ready_built_plan(to_string(path))
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

  # A variable that is set to nothing is as good as not set.
  defp env,
    do: for({name, value} when value != "" <- System.get_env(), into: %{}, do: {name, value})

  defp ready_built_plan(path) do
    case Path.type(path) == :absolute and File.stat(path) do
      false ->
        {:error, "The path of the helper must be absolute, got: #{inspect(path)}"}

      {:ok, %{type: :regular, mode: mode} = stat} when rem(div(mode, 0o100), 2) == 1 ->
        {:ok, {:ready_built, path, stat.size, stat.mtime}}

      {:ok, _} ->
        {:error, "The helper #{path} is not an executable file."}

      {:error, reason} ->
        {:error, "The helper #{path} cannot be used: #{:file.format_error(reason)}"}
    end
  end

  defp install(plan) do
    # First, so that no failure, not even a killed build, leaves a helper that does not fit.
    clean()

    case make(plan) do
      {:ok, built} ->
        File.mkdir_p!(Path.dirname(helper()))
        # Copied beside and renamed, so that at no time there is half a helper.
        beside = helper() <> ".new"
        File.cp!(built, beside)
        File.chmod!(beside, 0o755)
        File.rename!(beside, helper())
        write_manifest({plan, installed()})
        {:ok, []}

      {:error, message} ->
        failed(message)
    end
  end

  defp make({:ready_built, path, _size, _mtime}), do: {:ok, path}
  defp make({:verified, path, _sum}), do: {:ok, path}

  defp make({:none_of, targets, folder, plan}) do
    Mix.shell().info("There is no helper for #{Enum.join(targets, " or ")} in #{folder}")
    make(plan)
  end

  defp make({:cargo, target, _env, digest}) do
    for_whom = if target == :host, do: "", else: " for #{target}"
    Mix.shell().info("Building the helper muontrap with cargo#{for_whom}")
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

  # All that cargo reads for the helper. Contents, not times: a checkout changes those at will.
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
      # Then the folder around it may be anything, /tmp for one.
      env()["MIX_BUILD_PATH"] -> Path.join(Mix.Project.build_path(), "muontrap_cargo")
      true -> Mix.Project.build_path() |> Path.dirname() |> Path.join("muontrap_cargo")
    end
  end

  defp helper, do: Path.join([Mix.Project.app_path(), "priv", "muontrap"])
  defp manifest, do: Path.join(Mix.Project.manifest_path(), @manifest)

  # That the helper is there, and is the one that was put there.
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
