# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.BuildCase do
  @moduledoc "For tests that run Mix in a project in a new folder, as a user would."
  use ExUnit.CaseTemplate

  @root Path.expand("../..", __DIR__)
  @executable 0o755

  # These variables affect Mix and the build, and must not be those of the person who runs the tests.
  @foreign ~w(MIX_ENV MIX_TARGET MIX_BUILD_ROOT MIX_BUILD_PATH MIX_DEPS_PATH MIX_EXS MIX_QUIET
              MIX_DEBUG CARGO_TARGET_DIR CARGO_BUILD_TARGET RUSTFLAGS CC CFLAGS CROSSCOMPILE
              TARGET_ARCH TARGET_CPU TARGET_OS TARGET_ABI NERVES_SDK_SYSROOT
              MUONTRAP_BUILD MUONTRAP_HELPER MUONTRAP_CARGO_TARGET)

  using do
    quote do
      import MuonTrap.BuildCase
      @moduletag :build
      @moduletag timeout: 600_000
    end
  end

  setup do
    dir = Path.join(System.tmp_dir!(), "muontrap-build-#{System.pid()}-#{unique()}")
    File.mkdir_p!(dir)
    on_exit(fn -> File.rm_rf!(dir) end)
    {:ok, dir: dir}
  end

  @doc "The folder of the project under test."
  def root, do: @root

  @doc "Writes files, given as a map of path to contents, into `dir`."
  def write(dir, files) do
    for {path, contents} <- files do
      path = Path.join(dir, path)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, contents)
    end

    dir
  end

  @doc "Writes a shell script and returns its path."
  def script(path, body) do
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, "#!/bin/sh\n" <> body)
    File.chmod!(path, @executable)
    path
  end

  @doc "Copies the files that are needed to build MuonTrap, as in a package."
  def copy_project(dir, parts \\ ~w(mix mix.exs lib src Cargo.toml Cargo.lock)) do
    for part <- parts do
      copy = Path.join(dir, part)
      File.mkdir_p!(Path.dirname(copy))
      File.cp_r!(Path.join(@root, part), copy)
    end

    dir
  end

  @doc "Runs `mix` in `dir`, with `env` added to a neutral environment."
  def mix(dir, args, env \\ []), do: run("mix", args, dir, env)

  @doc "Runs a program as `mix/3` does, and returns all of its output and its status."
  def run(program, args, dir, env \\ []) do
    env =
      Map.merge(Map.new(@foreign, &{&1, nil}), Map.new(env, fn {k, v} -> {to_string(k), v} end))

    System.cmd(program, args, cd: dir, env: env, stderr_to_stdout: true)
  end

  @doc "The PATH without cargo and rustc."
  def path_without_rust(dir), do: path_without(dir, ~w(cargo rustc rustup))

  @doc "The PATH without programs of these names."
  def path_without(dir, programs) do
    System.get_env("PATH")
    |> String.split(":")
    |> Enum.with_index()
    |> Enum.map_join(":", fn {folder, n} ->
      without(folder, programs, Path.join(dir, "path#{n}"))
    end)
  end

  defp without(folder, programs, copy) do
    if Enum.any?(programs, &File.exists?(Path.join(folder, &1))) do
      File.mkdir_p!(copy)

      for name <- File.ls!(folder),
          name not in programs,
          do: File.ln_s!(Path.join(folder, name), Path.join(copy, name))

      copy
    else
      folder
    end
  end

  defp unique, do: System.unique_integer([:positive])
end
