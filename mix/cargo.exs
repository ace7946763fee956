# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Cargo do
  @moduledoc false
  # Runs cargo, and says in plain words what is missing when it cannot do its part.

  alias MuonTrap.Build.Target

  @doc """
  Builds the helper in `source`, which holds `Cargo.toml`, and returns the path of the executable.

  `target` is what `MuonTrap.Build.Target.choose/3` returned. cargo keeps its work in `target_dir`.
  `digest` stands for the sources: cargo looks at times only, and takes a changed file that is
  older than its last build for an unchanged one, so when the digest changed, cargo starts afresh.
  """
  @spec build(Path.t(), Target.choice(), Path.t(), String.t()) ::
          {:ok, Path.t()} | {:error, String.t()}
  def build(source, target, target_dir, digest) do
    with {:ok, cargo} <- find(),
         {:ok, %{host: host}} <- version(cargo, source) do
      triple = if target == :host, do: host, else: target
      env = Target.cargo_env(System.get_env(), triple, host, Mix.target())
      where = ["--target", triple, "--target-dir", target_dir]
      stamp = Path.join([target_dir, triple, "muontrap.digest"])

      if File.read(stamp) not in [{:ok, digest}, {:error, :enoent}],
        do:
          cargo!(
            cargo,
            ["clean", "--quiet", "--locked", "--package", "muontrap", "--release" | where],
            source,
            env
          )

      # Its output goes where ours goes, as it comes: on a terminal with colours and progress.
      case cargo!(cargo, ~w(build --release --locked --bin muontrap) ++ where, source, env) do
        0 ->
          File.write!(stamp, digest)
          {:ok, Path.join([target_dir, triple, "release", "muontrap"])}

        status ->
          {:error, "\"cargo build\" ended with status #{status}#{advice(triple, host, source)}"}
      end
    end
  end

  defp cargo!(cargo, args, source, env) do
    {_, status} = System.cmd(cargo, args, cd: source, env: env, into: IO.stream())
    status
  end

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
    MUONTRAP_HELPER, or "config :muontrap, helper:", to its absolute path.
    """
  end

  # Why a build for another machine failed, when that is easy to tell: no standard library for it.
  defp advice(triple, triple, _source), do: ", see its output above."

  defp advice(triple, _host, source) do
    rustc = System.get_env("RUSTC") || System.find_executable("rustc") || "rustc"
    args = ["--print", "target-libdir", "--target", triple]

    with true <- System.find_executable(rustc) != nil,
         {libdir, 0} <- System.cmd(rustc, args, cd: source, stderr_to_stdout: true),
         [] <- Path.wildcard(Path.join(String.trim(libdir), "libstd-*.rlib")) do
      ": Rust's standard library for #{triple} is not installed. " <>
        "Install it with \"rustup target add #{triple}\"."
    else
      _ -> ", see its output above."
    end
  end
end
