# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Helpers do
  @moduledoc false
  # A folder of prebuilt helpers, as `scripts/build-release` creates it: `muontrap-<Rust target>` for
  # each target, and their checksums in `SHA256SUMS`.

  @sums "SHA256SUMS"

  @doc """
  The Rust targets whose helpers run on `choice`, best first.

  Helpers for musl are linked statically and run on every Linux of that architecture. `system` is the
  architecture that the BEAM was built for, and `machine` the output of `uname -m`, which distinguishes
  the versions of "arm".
  """
  @spec targets(:host | String.t(), String.t(), String.t()) :: [String.t()]
  def targets(:host, system, machine) do
    with [arch | rest] <- String.split(system, "-"),
         "linux" <> _ = abi <- Enum.join(Enum.drop_while(rest, &(&1 != "linux")), "-") do
      native = "#{arch(arch, machine)}-unknown-#{abi}"
      Enum.uniq([musl(native), native])
    else
      _ -> [system]
    end
  end

  def targets(triple, _system, _machine), do: Enum.uniq([triple, musl(triple)])

  defp musl(triple), do: String.replace(triple, "-linux-gnu", "-linux-musl")

  # A 64-bit kernel may run a 32-bit BEAM.
  defp arch("arm" <> _, machine) do
    if machine =~ ~r/^(armv7|armv8|aarch64)/, do: "armv7", else: "arm"
  end

  defp arch("i" <> <<_, "86">>, _machine), do: "i686"
  defp arch("riscv64", _machine), do: "riscv64gc"
  defp arch(arch, _machine), do: arch

  @doc """
  Finds the first helper in `dir` for one of `targets`, and verifies its checksum.

  Returns `:none` if there is no such helper.
  """
  @spec find(Path.t(), [String.t()]) :: {:ok, Path.t(), String.t()} | :none | {:error, String.t()}
  def find(dir, targets) do
    with :absolute <- Path.type(dir),
         {:ok, sums} <- File.read(Path.join(dir, @sums)) do
      names = Enum.map(targets, &"muontrap-#{&1}")

      case Enum.find(names, &File.exists?(Path.join(dir, &1))) do
        nil -> :none
        name -> check(Path.join(dir, name), sums(sums)[name])
      end
    else
      {:error, reason} ->
        {:error, "#{Path.join(dir, @sums)} cannot be read: #{:file.format_error(reason)}"}

      _ ->
        {:error, "The path of the folder of helpers must be absolute, got: #{inspect(dir)}"}
    end
  end

  # The format of sha256sum(1): a checksum, a space, a space or a star, and a name.
  defp sums(text) do
    for [_, sum, name] <- Regex.scan(~r/^([0-9a-fA-F]{64}) [ *](.+?)\r?$/m, text),
        into: %{},
        do: {name, String.downcase(sum)}
  end

  defp check(path, nil), do: {:error, "#{path} is not in #{@sums} beside it."}

  defp check(path, expected) do
    case sha256(path) do
      ^expected ->
        {:ok, path, expected}

      other ->
        {:error,
         "#{path} does not match its checksum: expected #{expected} (in #{@sums}), got #{other}."}
    end
  end

  defp sha256(path) do
    # Since Elixir 1.15, Mix hides applications that a project does not list.
    if function_exported?(Mix, :ensure_application!, 1),
      do: apply(Mix, :ensure_application!, [:crypto])

    :sha256 |> :crypto.hash(File.read!(path)) |> Base.encode16(case: :lower)
  end
end
