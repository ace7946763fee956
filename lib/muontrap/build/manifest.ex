# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Manifest do
  @moduledoc false
  # What the installed helper was made from, and whether that has changed. The compiler of mix/compile.exs
  # asks this in each build of a project that depends on MuonTrap, most of which change nothing.

  # Has to change with the format of the manifest, and when an equal origin leads to another helper.
  @version 3

  # The variables with an effect on the helper, not those on where and how fast cargo builds.
  @names ~w(MUONTRAP_BUILD MUONTRAP_CARGO_TARGET MUONTRAP_HELPER) ++
           ~w(CC CXX AR CFLAGS CXXFLAGS LD LDFLAGS CPPFLAGS STRIP RANLIB) ++
           ~w(CROSSCOMPILE NERVES_SDK_SYSROOT TARGET_ARCH TARGET_CPU TARGET_OS TARGET_ABI) ++
           ~w(RUSTC RUSTC_WRAPPER RUSTFLAGS RUSTUP_TOOLCHAIN RUSTC_BOOTSTRAP)
  @prefixes ~w(CARGO_BUILD_ CARGO_ENCODED_ CARGO_PROFILE_ CARGO_TARGET_ CARGO_UNSTABLE_)
  @irrelevant ~w(CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_BUILD_DIR CARGO_BUILD_JOBS)

  @doc """
  The configuration and the variables with an effect on the helper, and the folder that is built: a copy of it has a copy
  of the manifest, whose files are those of the original.

  An empty variable counts as unset.
  """
  @spec settings(%{String.t() => String.t()}, atom) :: map
  def settings(env, mix_target) do
    config =
      for key <- [:build, :helper, :cargo_target], do: {key, Application.get_env(:muontrap, key)}

    env = for {name, value} <- env, value != "", relevant?(name), do: {name, value}

    %{
      config: Map.new(config),
      env: Map.new(env),
      directory: File.cwd!(),
      mix_target: mix_target,
      system: to_string(:erlang.system_info(:system_architecture))
    }
  end

  defp relevant?(name),
    do: name in @names or (String.starts_with?(name, @prefixes) and name not in @irrelevant)

  @doc "Whether nothing has changed since the manifest at `path` was written."
  @spec current?(Path.t(), map) :: boolean
  def current?(path, settings) do
    case read(path) do
      %{settings: ^settings, files: files} ->
        Enum.all?(files, fn {path, stat} -> stat != :recent and stat(path) == stat end)

      _ ->
        false
    end
  end

  @doc "The manifest, or `nil` if there is none of this version."
  @spec read(Path.t()) :: map | nil
  def read(path) do
    with {:ok, binary} <- File.read(path),
         {@version, state} <- :erlang.binary_to_term(binary) do
      state
    else
      _ -> nil
    end
  end

  @spec write(Path.t(), map) :: :ok
  def write(path, state) do
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, :erlang.term_to_binary({@version, state}))
  end

  @doc """
  The files of a manifest: inputs, which were read after the time `now`, and outputs.

  An input can change again within the second in which it was read.
  """
  @spec files([Path.t()], [Path.t()], integer) :: %{Path.t() => term}
  def files(inputs, outputs, now) do
    outputs = for path <- outputs, into: %{}, do: {path, stat(path)}

    for path <- inputs, into: outputs do
      case stat(path) do
        %{ctime: ctime} when ctime >= now -> {path, :recent}
        stat -> {path, stat}
      end
    end
  end

  @doc "Size, times and inode of a file, or why it has none."
  @spec stat(Path.t()) :: map | atom
  def stat(path) do
    case :file.read_file_info(path, [:raw, time: :posix]) do
      {:ok, info} -> %{File.Stat.from_record(info) | atime: nil}
      {:error, reason} -> reason
    end
  end
end
