# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Cargo do
  @moduledoc false
  # Runs cargo, and says in plain words what is missing when it cannot do its part.

  alias MuonTrap.Build.{Linkage, Target}

  @doc """
  Builds the helper in `source`, which holds `Cargo.toml`, and returns the path of the executable.

  `choice` is what `MuonTrap.Build.Target.choose/3` returned. cargo keeps its work in `target_dir`.
  `digest` stands for the sources: cargo looks at times only, and takes a changed file that is
  older than its last build for an unchanged one, so when the digest changed, cargo starts afresh.
  """
  @spec build(Path.t(), Target.choice(), Path.t(), String.t()) ::
          {:ok, Path.t()} | {:error, String.t()}
  def build(source, choice, target_dir, digest) do
    with {:ok, cargo} <- find(),
         {:ok, %{host: host}} <- version(cargo, source) do
      cargo = %{path: cargo, source: source, host: host, target_dir: target_dir}
      {triple, flags} = linkage(cargo, choice)
      build_for(cargo, triple, flags, digest)
    end
  end

  defp build_for(cargo, triple, flags, digest) do
    stamp = Path.join([cargo.target_dir, triple, "muontrap.digest"])

    if File.read(stamp) not in [{:ok, digest}, {:error, :enoent}],
      do: cargo!(cargo, triple, ~w(clean --quiet --locked --package muontrap --release), [])

    case cargo!(cargo, triple, ~w(rustc --release --locked --bin muontrap), flags) do
      0 ->
        File.write!(stamp, digest)
        {:ok, Path.join([cargo.target_dir, triple, "release", "muontrap"])}

      status ->
        why = advice(triple, cargo.host, cargo.source)
        {:error, "\"cargo rustc\" ended with status #{status}#{why}"}
    end
  end

  # The first way that a program of nothing can be linked in.
  defp linkage(cargo, choice) do
    attempts = Linkage.attempts(env(), choice, cargo.host)

    case Enum.find(attempts, &works?(cargo, &1)) do
      nil ->
        triple = if choice == :host, do: cargo.host, else: choice
        note = Linkage.note(attempts, choice)
        # Without the standard library, there is going to be an error that says so.
        if note && std_installed?(triple, cargo.source), do: Mix.shell().info(note)
        {triple, []}

      found ->
        found
    end
  end

  # By cargo, since only cargo knows all places where a linker and flags may be configured.
  defp works?(cargo, {triple, flags}) do
    probe = Path.join(cargo.target_dir, "muontrap_probe")
    File.mkdir_p!(probe)
    File.write!(Path.join(probe, "main.rs"), "fn main() {}\n")

    # A workspace of its own: it may be inside of somebody else's.
    File.write!(Path.join(probe, "Cargo.toml"), """
    [workspace]
    [package]
    name = "muontrap_probe"
    version = "0.0.0"
    edition = "2021"
    [[bin]]
    name = "muontrap_probe"
    path = "main.rs"
    """)

    command = ~w(rustc --quiet --offline --manifest-path) ++ [Path.join(probe, "Cargo.toml")]

    std_installed?(triple, cargo.source) and
      match?({_output, 0}, cargo(cargo, triple, command, flags, stderr_to_stdout: true))
  end

  # Its output goes where ours goes, as it comes: on a terminal with colours and progress.
  defp cargo!(cargo, triple, args, flags) do
    {_, status} = cargo(cargo, triple, args, flags, into: IO.stream())
    status
  end

  defp cargo(cargo, triple, args, flags, opts) do
    env = Target.cargo_env(System.get_env(), triple, cargo.host, Mix.target())
    where = ["--target", triple, "--target-dir", cargo.target_dir]
    flags = if flags == [], do: [], else: ["--" | flags]
    System.cmd(cargo.path, args ++ where ++ flags, [cd: cargo.source, env: env] ++ opts)
  end

  # A variable that is set to nothing is as good as not set.
  defp env,
    do: for({name, value} when value != "" <- System.get_env(), into: %{}, do: {name, value})

  defp find do
    case System.find_executable("cargo") do
      nil -> {:error, "cargo is not installed, or not in PATH. " <> how_to_install()}
      cargo -> {:ok, cargo}
    end
  end

  # "cargo --version --verbose" says which machine it runs on, too: "host: x86_64-unknown-linux-gnu".
  defp version(cargo, source) do
    {output, status} =
      System.cmd(cargo, ["--version", "--verbose"], cd: source, stderr_to_stdout: true)

    with 0 <- status,
         [_, release] <- Regex.run(~r/^release: (\d+\.\d+\.\d+)/m, output),
         [_, host] <- Regex.run(~r/^host: (\S+)/m, output) do
      wanted = rust_version(source)

      if Version.match?(release, ">= #{wanted}") do
        {:ok, %{host: host}}
      else
        {:error, "#{cargo} is version #{release}, and #{wanted} is needed. " <> how_to_install()}
      end
    else
      _ -> {:error, "#{cargo} does not work: #{String.trim(output)}\n" <> how_to_install()}
    end
  end

  defp rust_version(source) do
    [_, version] =
      Regex.run(~r/^rust-version = "([\d.]+)"/m, File.read!(Path.join(source, "Cargo.toml")))

    if version =~ ~r/^\d+\.\d+$/, do: version <> ".0", else: version
  end

  defp how_to_install do
    """
    Install Rust in one of these ways:

        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y    # anywhere
        apt-get install cargo-web                                # Debian 12 (bookworm)
        apt-get install cargo                                    # Debian 13 (trixie) and newer

    Or use a muontrap that was built elsewhere, and no Rust at all: set the environment variable
    MUONTRAP_HELPER, or "config :muontrap, helper:", to its absolute path. For a folder of helpers
    with their checksums, it is MUONTRAP_HELPERS, or "config :muontrap, helpers:".
    """
  end

  # Why a build for another machine failed, when that is easy to tell: no standard library for it.
  defp advice(triple, triple, _source), do: ", see its output above."

  defp advice(triple, _host, source) do
    if std_installed?(triple, source) do
      ", see its output above."
    else
      ": Rust's standard library for #{triple} is not installed. " <>
        "Install it with \"rustup target add #{triple}\"."
    end
  end

  # As far as rustc can tell.
  defp std_installed?(triple, source) do
    rustc = System.get_env("RUSTC") || System.find_executable("rustc") || "rustc"
    args = ["--print", "target-libdir", "--target", triple]

    with true <- System.find_executable(rustc) != nil,
         {libdir, 0} <- System.cmd(rustc, args, cd: source, stderr_to_stdout: true) do
      Path.wildcard(Path.join(String.trim(libdir), "libstd-*.rlib")) != []
    else
      _ -> true
    end
  end
end
