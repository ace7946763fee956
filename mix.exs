# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

for file <- ~w(target linkage cargo helpers compile),
    do: Code.require_file("mix/#{file}.exs", __DIR__)

defmodule MuonTrap.MixProject do
  use Mix.Project

  @version "1.0.0"

  def project do
    [
      app: :muontrap,
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
      package: package(),
      docs: docs()
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
  # is listed only for: MIX_ENV=docs mix do deps.get + docs
  defp deps(:docs), do: [{:ex_doc, "~> 0.34", runtime: false}]
  defp deps(_env), do: []

  defp package do
    [
      files: ~w(lib mix src docs Cargo.toml Cargo.lock mix.exs .formatter.exs
        README.md CHANGELOG.md LICENSES REUSE.toml),
      licenses: ["Apache-2.0"],
      links: %{}
    ]
  end

  defp docs do
    [
      main: "readme",
      extras: ["README.md", "CHANGELOG.md"] ++ Path.wildcard("docs/*.md"),
      source_ref: "v#{@version}"
    ]
  end
end
