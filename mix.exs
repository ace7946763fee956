# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

Code.require_file("mix/compile.exs", __DIR__)

defmodule MuonTrap.MixProject do
  use Mix.Project

  @version "1.0.0"

  # The address of the repository, which documentation and package show. This one is a placeholder: the
  # release workflow refuses it.
  @source_url "https://example.org/muontrap"

  # The helpers are there only when scripts/package builds the package.
  @package_files ~w(lib mix src docs helpers Cargo.toml Cargo.lock mix.exs .formatter.exs
    README.md CHANGELOG.md SECURITY.md CONTRIBUTING.md LICENSES REUSE.toml)

  def project do
    [
      app: :muontrap,
      name: "MuonTrap",
      version: @version,
      elixir: "~> 1.14",
      compilers: Mix.compilers() ++ [:muontrap_helper],
      elixirc_paths: elixirc_paths(Mix.env()),
      # src/ is Rust.
      erlc_paths: [],
      start_permanent: Mix.env() == :prod,
      deps: deps(Mix.env()),
      description:
        "Runs programs that cannot outlive their owner, flood it, or escape their limits",
      source_url: @source_url,
      package: package(Mix.env()),
      docs: &docs/0
    ]
  end

  def application do
    [
      mod: {MuonTrap.Application, []},
      extra_applications: [:crypto, :logger]
    ]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  # Nothing is needed to compile and to test. A listed dependency would make Mix ask for Hex, so this one
  # is listed only for scripts/docs, and not if Debian's is there.
  defp deps(:docs) do
    if Code.ensure_loaded?(ExDoc), do: [], else: [{:ex_doc, "~> 0.34", runtime: false}]
  end

  defp deps(_env), do: []

  # For a package, ExDoc puts a link to Hex on each page. Another library has this name there.
  defp package(:docs), do: nil

  defp package(_env) do
    [
      files: @package_files,
      # Unit tests, which only cargo test compiles.
      exclude_patterns: [~r/(_test|_properties|test_support)\.rs$/],
      licenses: ["Apache-2.0", "CC-BY-4.0", "CC0-1.0"],
      links: %{
        "Source" => @source_url,
        "Changelog" => "#{@source_url}/blob/v#{@version}/CHANGELOG.md"
      }
    ]
  end

  defp docs do
    [
      main: "readme",
      source_url: @source_url,
      source_ref: "v#{@version}",
      assets: %{"docs/assets" => "assets"},
      extras: Enum.flat_map(pages(), &elem(&1, 1)),
      groups_for_extras: pages(),
      groups_for_modules: [
        "Running programs": [MuonTrap, MuonTrap.Daemon, MuonTrap.Process],
        "Results and errors": [MuonTrap.Result, MuonTrap.ExitError, MuonTrap.Error],
        Details: [MuonTrap.Options, MuonTrap.Daemon.Events]
      ]
    ]
  end

  # Pages of docs/ that are not named here are guides.
  defp pages do
    start = ["README.md" | docs(~w(installation.md tour.livemd))]

    guides =
      docs(~w(commands.md streams.md supervision.md terminals.md process-limits.md cgroups.md
        containers.md nerves.md migrating.md comparison.md recipes.md doctor.md))

    reference =
      docs(~w(cheatsheet.cheatmd limits.md performance.md)) ++ ["CHANGELOG.md", "SECURITY.md"]

    internals = docs(~w(walkthrough.md decisions.md protocol.md)) ++ ["CONTRIBUTING.md"]

    others =
      Path.wildcard("docs/*.{md,cheatmd,livemd}") -- (start ++ guides ++ reference ++ internals)

    [Start: start, Guides: guides ++ others, Reference: reference, Internals: internals]
  end

  defp docs(names), do: Enum.map(names, &Path.join("docs", &1))
end
