# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Installation do
  @moduledoc false
  # The helper in the priv folder of the built application.

  alias MuonTrap.Build.{Manifest, Origin}

  # "mix clean" loads this when the library is not compiled.
  @compile {:no_warn_undefined, Manifest}

  @doc """
  Installs the helper of `source` if the one that is there is not the same.

  If the origin is the same as in the manifest, only modification times have changed, as after a checkout.
  """
  @spec update(Path.t(), Path.t(), Path.t(), Origin.settings(), boolean) ::
          Mix.Task.Compiler.status_and_diagnostics()
  def update(source, helper, manifest, settings, forced?) do
    now = System.os_time(:second)

    with {:ok, found} <- Origin.find(source, settings),
         status when is_atom(status) <- install(found, source, helper, manifest, forced?) do
      inputs = Enum.map(~w(priv helpers/SHA256SUMS), &Path.join(source, &1)) ++ found.files

      Manifest.write(manifest, %{
        settings: settings,
        files: Manifest.files(inputs, [helper], now),
        origin: found.origin,
        installed: installed(helper)
      })

      {status, []}
    else
      {:error, message} -> failed(message, source, helper, manifest)
    end
  end

  defp install(found, source, helper, manifest, forced?) do
    if not forced? and installed?(found.origin, helper, manifest),
      do: :noop,
      else: fetch(found, source, helper, manifest)
  end

  defp installed?(origin, helper, manifest) do
    case Manifest.read(manifest) do
      %{origin: ^origin, installed: installed} -> installed == installed(helper)
      _ -> false
    end
  end

  # Identifies the installed helper, also when the build folder was copied, or says why there is none.
  defp installed(helper) do
    with %{size: size, mtime: mtime, mode: mode} <- Manifest.stat(helper), do: {size, mtime, mode}
  end

  defp fetch(found, source, helper, manifest) do
    # First, so that a failed or killed build leaves no outdated helper.
    remove(helper, manifest)
    File.mkdir_p!(Path.dirname(helper))
    # Renamed when it is complete.
    temporary = helper <> ".new"

    with :ok <- Origin.fetch(found, source, cargo_dir(source), temporary) do
      File.chmod!(temporary, 0o755)
      File.rename!(temporary, helper)
      :ok
    end
  end

  @doc "Removes the helper and the manifest."
  @spec remove(Path.t(), Path.t()) :: :ok
  def remove(helper, manifest) do
    # This succeeds only if priv is a link, left from a time with a priv folder among the sources.
    File.rm(Path.dirname(helper))
    File.rm(helper)
    File.rm(manifest)
    :ok
  end

  defp failed(message, source, helper, manifest) do
    remove(helper, manifest)
    Mix.shell().error("Cannot install the helper muontrap. " <> message)

    diagnostic = %Mix.Task.Compiler.Diagnostic{
      compiler_name: "muontrap_helper",
      file: Path.join(source, "Cargo.toml"),
      message: message,
      position: 0,
      severity: :error
    }

    {:error, [diagnostic]}
  end

  defp cargo_dir(source) do
    configured = env("CARGO_TARGET_DIR") || env("CARGO_BUILD_TARGET_DIR")

    cond do
      configured -> Path.expand(configured, source)
      # The parent of this folder may be anything, for example /tmp.
      env("MIX_BUILD_PATH") -> Path.join(Mix.Project.build_path(), "muontrap_cargo")
      true -> Mix.Project.build_path() |> Path.dirname() |> Path.join("muontrap_cargo")
    end
  end

  defp env(name), do: if(System.get_env(name) not in [nil, ""], do: System.get_env(name))
end
