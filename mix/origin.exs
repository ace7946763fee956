# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Origin do
  @moduledoc false
  # Where the helper comes from: a file, a folder of helpers, or cargo.

  alias MuonTrap.Build.{Cargo, Helpers, Target}

  @type t ::
          {:file, Path.t(), size :: non_neg_integer, mtime :: integer}
          | {:packed, Path.t(), checksum :: String.t()}
          | {:cargo, Target.choice(), Target.env(), digest :: String.t()}

  @typedoc "`files` may change the origin when they change, and `absent` says why it is cargo."
  @type found :: %{origin: t, files: [Path.t()], absent: String.t() | nil}

  @type settings :: %{
          config: %{atom => term},
          env: Target.env(),
          mix_target: atom,
          system: String.t()
        }

  @doc "Finds where the helper for the project in `source` comes from."
  @spec find(Path.t(), settings) :: {:ok, found} | {:error, String.t()}
  def find(source, settings) do
    priv = Path.join(source, "priv")
    helper = settings.config.helper || settings.env["MUONTRAP_HELPER"]

    cond do
      File.exists?(priv) ->
        {:error, "Remove #{priv}: Mix would make all builds share it, whatever their target."}

      build?(settings) ->
        from_folders([], source, settings)

      helper == nil ->
        from_folders(packaged(source), source, settings)

      Path.type(helper) != :absolute ->
        {:error, "The path of the helper must be absolute, got: #{inspect(helper)}"}

      File.dir?(helper) ->
        from_folders([to_string(helper) | packaged(source)], source, settings)

      true ->
        from_file(to_string(helper))
    end
  end

  defp build?(settings),
    do: settings.config.build || settings.env["MUONTRAP_BUILD"] in ["1", "true"]

  # Only the package has this folder: the helpers are not in the repository.
  defp packaged(source) do
    folder = Path.join(source, "helpers")
    if Enum.all?(Helpers.sums([folder]), &File.exists?/1), do: [folder], else: []
  end

  defp from_file(path) do
    case File.stat(path, time: :posix) do
      {:ok, %{type: :regular, mode: mode} = stat} when rem(div(mode, 0o100), 2) == 1 ->
        found({:file, path, stat.size, stat.mtime}, [path], nil)

      {:ok, _} ->
        {:error, "The helper #{path} is neither an executable file nor a folder."}

      {:error, reason} ->
        {:error, "The helper #{path} cannot be used: #{:file.format_error(reason)}"}
    end
  end

  defp from_folders(folders, source, settings) do
    %{env: env, config: config, mix_target: mix_target, system: system} = settings

    with {:ok, target} <- Target.choose(env, config.cargo_target, mix_target) do
      targets = Helpers.targets(target, system, machine(system))

      case Helpers.find(folders, targets) do
        {:ok, path, sum} ->
          found({:packed, path, sum}, [path | Helpers.sums(folders)], nil)

        {:none, absent} ->
          env = Map.drop(env, ["MUONTRAP_BUILD", "MUONTRAP_HELPER"])
          files = Cargo.sources(source) ++ Helpers.sums(folders)
          found({:cargo, target, env, Cargo.digest(source)}, files, absent)

        {:error, message} ->
          {:error, message}
      end
    end
  end

  defp found(origin, files, absent),
    do: {:ok, %{origin: origin, files: files, absent: absent}}

  # The output of "uname -m", which distinguishes the versions of "arm".
  defp machine("arm" <> _) do
    case System.find_executable("uname") do
      nil -> ""
      uname -> uname |> System.cmd(["-m"]) |> elem(0)
    end
  end

  defp machine(_system), do: ""

  @doc """
  Writes the helper to `destination`.

  `target_dir` is cargo's target folder.
  """
  @spec fetch(found, Path.t(), Path.t(), Path.t()) :: :ok | {:error, String.t()}
  def fetch(%{origin: {:file, path, _size, _mtime}}, _source, _target_dir, destination),
    do: File.cp!(path, destination)

  def fetch(%{origin: {:packed, path, sum}}, _source, _target_dir, destination) do
    if note = Helpers.note(path), do: Mix.shell().info(note)
    Helpers.unpack(path, sum, destination)
  end

  def fetch(%{origin: {:cargo, target, _env, digest}} = found, source, target_dir, destination) do
    with {:ok, built} <- Cargo.build(source, target, target_dir, digest, found.absent),
         do: File.cp!(built, destination)
  end
end
