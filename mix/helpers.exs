# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Helpers do
  @moduledoc false
  # A folder of ready-built helpers, as `scripts/build-release` creates it: `muontrap-<Rust target>.gz` for
  # each target, their checksums in `SHA256SUMS`, and in `UNTRIED` the targets of those that were only linked.

  @sums "SHA256SUMS"
  @untried "UNTRIED"

  @doc """
  The Rust targets whose helpers run on `choice`, best first.

  Helpers for musl are linked statically and run on every Linux of that architecture. `system` is the
  architecture that the BEAM was built for, and `machine` the output of `uname -m`, which distinguishes
  the versions of "arm".
  """
  @spec targets(:host | String.t(), String.t(), String.t()) :: [String.t()]
  def targets(:host, system, machine) do
    [arch | rest] = String.split(system, "-")

    case Enum.find(rest, &(&1 =~ ~r/^(linux|darwin|freebsd)/)) do
      "linux" <> _ = linux ->
        abi = rest |> Enum.drop_while(&(&1 != linux)) |> Enum.join("-")
        native = "#{arch(arch, machine)}-unknown-#{abi}"
        Enum.uniq([musl(native), native])

      "darwin" <> _ ->
        ["#{arch(arch, machine)}-apple-darwin"]

      "freebsd" <> _ ->
        ["#{arch(arch, machine)}-unknown-freebsd"]

      nil ->
        [system]
    end
  end

  def targets(triple, _system, _machine), do: Enum.uniq([triple, musl(triple)])

  defp musl(triple), do: String.replace(triple, "-linux-gnu", "-linux-musl")

  defp arch("arm64", _machine), do: "aarch64"

  # A 64-bit kernel may run a 32-bit BEAM.
  defp arch("arm" <> _, machine) do
    if machine =~ ~r/^(armv7|armv8|aarch64)/, do: "armv7", else: "arm"
  end

  defp arch("i" <> <<_, "86">>, _machine), do: "i686"
  defp arch("riscv64", _machine), do: "riscv64gc"
  defp arch("amd64", _machine), do: "x86_64"
  defp arch(arch, _machine), do: arch

  @doc "The files with the checksums of these folders."
  @spec sums([Path.t()]) :: [Path.t()]
  def sums(folders), do: Enum.map(folders, &Path.join(&1, @sums))

  @doc """
  Finds the first helper in `folders` for one of `targets`, and verifies its checksum.

  Returns `{:none, absent}` if there is no such helper, with a sentence about it for the user if there are
  folders.
  """
  @spec find([Path.t()], [String.t()]) ::
          {:ok, Path.t(), String.t()} | {:none, String.t() | nil} | {:error, String.t()}
  def find([], _targets), do: {:none, nil}

  def find([folder | others], targets) do
    file = Path.join(folder, @sums)

    with {:ok, text} <- File.read(file),
         {:ok, path, sum} <- first(folder, targets, parse(text)),
         {:ok, _packed} <- read(path, sum) do
      {:ok, path, sum}
    else
      {:none, there} -> absent(folder, targets, there, find(others, targets))
      {:error, message} when is_binary(message) -> {:error, message}
      {:error, reason} -> {:error, "#{file} cannot be read: #{:file.format_error(reason)}"}
    end
  end

  defp first(folder, targets, sums) do
    names = Enum.map(targets, &name/1)

    case Enum.find(names, &(Map.has_key?(sums, &1) or File.exists?(Path.join(folder, &1)))) do
      nil -> {:none, for("muontrap-" <> name <- Map.keys(sums), do: Path.rootname(name))}
      name when is_map_key(sums, name) -> {:ok, Path.join(folder, name), sums[name]}
      name -> {:error, "#{Path.join(folder, name)} is not in #{@sums} beside it."}
    end
  end

  defp name(target), do: "muontrap-#{target}.gz"

  defp absent(folder, targets, there, {:none, more}) do
    message =
      "There is no helper for #{Enum.join(targets, " or ")} in #{folder}" <>
        if(there == [], do: ".", else: ", only for #{Enum.join(Enum.sort(there), ", ")}.")

    {:none, Enum.join([message | List.wrap(more)], " ")}
  end

  defp absent(_folder, _targets, _there, found), do: found

  # The format of sha256sum(1): a checksum, a space, a space or a star, and a name.
  defp parse(text) do
    for [_, sum, name] <- Regex.scan(~r/^([0-9a-fA-F]{64}) [ *](.+?)\r?$/m, text),
        into: %{},
        do: {name, String.downcase(sum)}
  end

  @doc "Writes the helper in the compressed file `path`, which must have the checksum, to `destination`."
  @spec unpack(Path.t(), String.t(), Path.t()) :: :ok | {:error, String.t()}
  def unpack(path, sum, destination) do
    with {:ok, packed} <- read(path, sum),
         do: File.write!(destination, :zlib.gunzip(packed))
  end

  @doc "A note for the user if the helper in the compressed file `path` has never been run, or `nil`."
  @spec note(Path.t()) :: String.t() | nil
  def note(path) do
    "muontrap-" <> target = Path.basename(path, ".gz")

    with {:ok, text} <- File.read(Path.join(Path.dirname(path), @untried)),
         true <- target in String.split(text) do
      "The ready-built helper for #{target} was built on another system, and never run. " <>
        "To have cargo build it here, set MUONTRAP_BUILD=1."
    else
      _ -> nil
    end
  end

  defp read(path, expected) do
    with {:ok, packed} <- File.read(path),
         ^expected <- sha256(packed) do
      {:ok, packed}
    else
      {:error, reason} ->
        {:error, "#{path} cannot be read: #{:file.format_error(reason)}"}

      other ->
        {:error,
         "#{path} does not match its checksum: expected #{expected} (in #{@sums}), got #{other}."}
    end
  end

  defp sha256(data) do
    # Since Elixir 1.15, Mix hides applications that a project does not list.
    if function_exported?(Mix, :ensure_application!, 1),
      do: apply(Mix, :ensure_application!, [:crypto])

    :sha256 |> :crypto.hash(data) |> Base.encode16(case: :lower)
  end
end
