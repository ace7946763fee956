# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# For scripts/package: writes what mix.exs says of the package to files in a folder.
#
#   mix run --no-compile --no-start scripts/package.exs FOLDER          its name, and paths
#   mix run --no-compile --no-start scripts/package.exs FOLDER FILES    its metadata, with a list of files

project = Mix.Project.config()
package = project[:package]
helpers = ["helpers"]

case System.argv() do
  [folder] ->
    paths = Enum.map(package[:files] -- helpers, &[&1, ?\n])
    excluded = for pattern <- package[:exclude_patterns] || [], do: [Regex.source(pattern), ?\n]
    File.write!(Path.join(folder, "name"), "#{project[:app]}-#{project[:version]}")
    File.write!(Path.join(folder, "paths"), paths)
    File.write!(Path.join(folder, "excluded"), excluded)

  [folder, files] ->
    # Everything is a binary, a list or a boolean, see
    # https://github.com/hexpm/specifications/blob/main/package_metadata.md
    metadata = [
      {"name", to_string(project[:app])},
      {"version", project[:version]},
      {"app", to_string(project[:app])},
      {"description", project[:description]},
      {"elixir", project[:elixir]},
      {"build_tools", ["mix"]},
      {"licenses", package[:licenses]},
      {"links", Enum.to_list(package[:links])},
      {"requirements", []},
      {"files", files |> File.read!() |> String.split("\n", trim: true)}
    ]

    text = for entry <- metadata, do: :io_lib.format("~tp.~n", [entry])
    File.write!(Path.join(folder, "metadata.config"), text)
end
