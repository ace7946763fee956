# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Checks before a release that version, changelog and address are right, and fails if one is not:
#
#     elixir scripts/check_release.exs v1.0.0 https://example.org/muontrap

[tag, address] = System.argv()
Mix.start()
Code.compile_file("mix.exs")
project = Mix.Project.config()
version = project[:version]
section = ~r/^## \[#{Regex.escape(version)}\] - \d{4}-\d\d-\d\d$/m

errors =
  for {false, error} <- [
        {tag == "v" <> version, "mix.exs has version #{version}, and the tag is #{tag}"},
        {File.read!("Cargo.toml") =~ ~s(\nversion = "#{version}"\n),
         "Cargo.toml has another version"},
        {project[:source_url] == address, "@source_url in mix.exs is not #{address}"},
        {File.read!("CHANGELOG.md") =~ section,
         "CHANGELOG.md has no section with a date for #{version}"}
      ],
      do: error

Enum.each(errors, &IO.puts/1)
if errors != [], do: System.halt(1)
IO.puts("ready for the release of #{version}")
