# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Cargo do
  @moduledoc false
  # Runs cargo. An error says what is missing and how to install it.

  alias MuonTrap.Build.{Linkage, Target}

  @doc """
  Builds the helper in `source`, the folder of `Cargo.toml`, and returns the path of the executable.

  `choice` is the result of `MuonTrap.Build.Target.choose/3`. `target_dir` is cargo's target folder.
  `digest` identifies the sources: cargo compares modification times only, and does not notice a changed
  file that is older than its last build. So when the digest has changed, the package is cleaned first.
  `absent` is for the user: why there is no ready-built helper, or `nil`.
  """
  @spec build(Path.t(), Target.choice(), Path.t(), String.t(), String.t() | nil) ::
          {:ok, Path.t()} | {:error, String.t()}
  def build(source, choice, target_dir, digest, absent) do
    with {:ok, cargo} <- find(absent),
         {:ok, %{host: host}} <- version(cargo, source),
         cargo = %{path: cargo, source: source, host: host, target_dir: target_dir},
         {:ok, {triple, flags}} <- linkage(cargo, choice) do
      if absent, do: Mix.shell().info(absent)
      for_target = if choice == :host, do: "", else: " for #{choice}"
      Mix.shell().info("Building the helper muontrap with cargo#{for_target}")
      build_for(cargo, triple, flags, digest)
    end
  end

  @doc "The files and folders that cargo reads for the helper, whether or not they exist."
  @spec sources(Path.t()) :: [Path.t()]
  def sources(source) do
    fixed = for name <- ~w(Cargo.toml Cargo.lock build.rs .cargo src), do: Path.join(source, name)
    fixed ++ Enum.flat_map(~w(.cargo/* src/**), &wildcard(source, &1))
  end

  @doc "Identifies the contents of these files. Modification times do not count: a checkout changes them."
  @spec digest(Path.t()) :: String.t()
  def digest(source) do
    ~w(Cargo.toml Cargo.lock build.rs .cargo/* src/**/*.rs)
    |> Enum.flat_map(&wildcard(source, &1))
    |> Enum.map(&[Path.relative_to(&1, source), 0, :erlang.md5(File.read!(&1))])
    |> :erlang.md5()
    |> Base.encode16()
  end

  defp wildcard(source, pattern), do: Path.wildcard(Path.join(source, pattern), match_dot: true)

  defp build_for(cargo, triple, flags, digest) do
    stamp = Path.join([cargo.target_dir, triple, "muontrap.digest"])

    if File.read(stamp) not in [{:ok, digest}, {:error, :enoent}],
      do: cargo!(cargo, triple, ~w(clean --quiet --locked --package muontrap --release), [])

    case cargo!(cargo, triple, ~w(rustc --release --locked --bin muontrap), flags) do
      0 ->
        File.write!(stamp, digest)
        {:ok, Path.join([cargo.target_dir, triple, "release", "muontrap"])}

      status ->
        {:error, "\"cargo rustc\" ended with status #{status}" <> advice(cargo, triple)}
    end
  end

  # The first of the possible linkages with which an empty program can be linked. If all fail, either the
  # static C library is missing, or the linker, which is an error.
  defp linkage(cargo, choice) do
    attempts = Linkage.attempts(env(), choice, cargo.host)
    triple = if choice == :host, do: cargo.host, else: choice

    cond do
      found = Enum.find(attempts, &match?({:ok, _output}, link(cargo, &1))) ->
        {:ok, found}

      # The build fails, and advice/2 says why.
      attempts == [] or not std_installed?(triple, cargo.source) ->
        {:ok, {triple, []}}

      message = no_linker(link(cargo, {triple, []})) ->
        {:error, message}

      true ->
        Mix.shell().info(Linkage.note(attempts, choice))
        {:ok, {triple, []}}
    end
  end

  # The messages of rustc are "linker `cc` not found", and without a C library "linking with `cc` failed".
  defp no_linker({:error, output}) do
    case Regex.run(~r/^error: (linker|linking with) `([^`]*)`/m, output) do
      [_, "linker", linker] ->
        "There is no C linker (#{linker}), which Rust needs. " <> install_linker(output)

      [_, "linking with", linker] ->
        "The C linker (#{linker}) cannot link an empty program. " <> install_linker(output)

      nil ->
        nil
    end
  end

  defp no_linker({:ok, _output}), do: nil

  defp install_linker(output) do
    """
    Install one, with the C library:

    #{linker_packages(:os.type())}
    #{prebuilt()}
    cargo says:

    #{String.trim(output)}
    """
  end

  defp linker_packages({:unix, :darwin}) do
    """
        xcode-select --install           # the Command Line Tools of Xcode
    """
  end

  defp linker_packages(_linux) do
    """
        apt-get install gcc libc6-dev    # Debian, Ubuntu
        dnf install gcc glibc-devel      # Fedora
        apk add gcc musl-dev             # Alpine
    """
  end

  # With cargo, since only cargo knows all places where a linker and flags may be configured.
  defp link(cargo, {triple, flags}) do
    probe = Path.join(cargo.target_dir, "muontrap_probe")
    File.mkdir_p!(probe)
    File.write!(Path.join(probe, "main.rs"), "fn main() {}\n")

    # The folder may be inside of another workspace.
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

    with true <- std_installed?(triple, cargo.source),
         {output, 0} <- cargo(cargo, triple, command, flags, stderr_to_stdout: true) do
      {:ok, output}
    else
      false -> {:error, ""}
      {output, _status} -> {:error, output}
    end
  end

  # Passes cargo's output on as it comes, with colours and progress on a terminal.
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

  # An empty variable counts as unset.
  defp env,
    do: for({name, value} when value != "" <- System.get_env(), into: %{}, do: {name, value})

  defp find(absent) do
    case System.find_executable("cargo") do
      nil ->
        missing = "cargo, which builds the helper, is not installed, or not in PATH."
        {:error, Enum.join(List.wrap(absent) ++ [missing, how_to_install()], "\n")}

      cargo ->
        {:ok, cargo}
    end
  end

  # The output of "cargo --version --verbose" contains the host, "host: x86_64-unknown-linux-gnu".
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

    #{prebuilt()}
    """
  end

  defp prebuilt do
    """
    Or use a muontrap that was built elsewhere, without Rust: set the environment variable
    MUONTRAP_HELPER, or "config :muontrap, helper:", to its absolute path, or to that of a folder of
    helpers with their checksums, as scripts/build-release creates it. The package that
    scripts/package builds contains such a folder.
    """
  end

  # The likely cause of a failed build.
  defp advice(cargo, triple) do
    cond do
      triple != cargo.host and not std_installed?(triple, cargo.source) ->
        ": Rust's standard library for #{triple} is not installed. " <>
          "Install it with \"rustup target add #{triple}\"."

      not crates_there?(cargo, triple) ->
        """
        : the crates that the helper depends on could not be downloaded. On a machine with a network,
        "cargo fetch --locked" in #{cargo.source} downloads them to CARGO_HOME (~/.cargo), which you
        can copy.

        #{prebuilt()}
        """

      true ->
        ", see its output above."
    end
  end

  # "cargo tree" has to read each dependency to list them.
  defp crates_there?(cargo, triple) do
    args = ~w(tree --quiet --offline --locked --edges normal,build --target #{triple})
    match?({_, 0}, System.cmd(cargo.path, args, cd: cargo.source, stderr_to_stdout: true))
  end

  # Assumes that it is if rustc cannot be asked.
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
