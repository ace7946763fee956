# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Checks the project's Markdown files: every relative link leads to a page or an asset, and to a heading in it
# if the link has a fragment, on GitHub as in the pages of ExDoc; every file or folder of the project that is
# named in code style exists; and docs/walkthrough.md names each source file once, by itself or by its
# folder. Links to other sites are not followed.
#
#     elixir scripts/check_links.exs

Code.require_file("markdown.exs", __DIR__)

defmodule CheckLinks do
  @pages ~w(.md .cheatmd .livemd)
  @walkthrough "docs/walkthrough.md"
  # A path below one of the project's folders, alone or as the first word of a command.
  @path ~r/^((?:src|lib|mix|test|bench|docs|examples|scripts|\.ci)\/[^\s*<>{}$]*)(?: .*)?$/

  def run do
    files = Markdown.files()

    broken =
      for file <- files,
          link <- file |> File.read!() |> Markdown.links(),
          not leads_somewhere?(link, file),
          do: {file, link}

    missing = for file <- files, path <- paths(file), not File.exists?(path), do: {file, path}
    miscounted = for {file, count} <- source_files(), count != 1, do: {file, count}

    for {file, link} <- broken, do: IO.puts("#{file}: #{link} leads nowhere")
    for {file, path} <- missing, do: IO.puts("#{file}: #{path} does not exist")
    for {file, count} <- miscounted, do: IO.puts("#{@walkthrough}: names #{file} #{count} times")
    if broken ++ missing ++ miscounted != [], do: System.halt(1)
    IO.puts("#{length(files)} files, no broken link, no missing path")
  end

  # Each source file, and how often it or a folder of it is named. Tests are no part of the walk.
  defp source_files do
    named = paths(@walkthrough)

    for file <- Path.wildcard("{src,lib}/**/*.{rs,ex}"),
        not (file =~ ~r/_(test|properties)\.rs$/) do
      {file, Enum.count(named, &(&1 == file or (&1 =~ ~r{/$} and String.starts_with?(file, &1))))}
    end
  end

  defp paths(file) do
    for code <- file |> File.read!() |> Markdown.code(),
        [_, path] <- [Regex.run(@path, code)],
        do: path
  end

  defp leads_somewhere?(link, file) do
    case String.split(link, "#", parts: 2) do
      [_, _] = [path, fragment] -> local?(link, path, file) and heading?(path, fragment, file)
      [path] -> local?(link, path, file)
    end
  end

  # Links to other sites count as good, except to the pages of another package with this name.
  defp local?(link, path, file) do
    if elsewhere?(link),
      do: not String.starts_with?(link, "https://hexdocs.pm/muontrap"),
      else: path == "" or page?(resolve(path, file))
  end

  # ExDoc has these only. Other files are named in code style.
  defp page?(path) do
    File.exists?(path) and
      (Path.extname(path) in @pages or
         Path.relative_to_cwd(Path.expand(path)) =~ ~r{^docs/assets/})
  end

  defp heading?(path, fragment, file) do
    target = if path == "", do: file, else: resolve(path, file)

    elsewhere?(path) or Path.extname(target) not in @pages or
      fragment in (target |> File.read!() |> Markdown.fragments())
  end

  defp elsewhere?(link), do: link =~ ~r/^[a-z][a-z0-9+.-]*:/

  defp resolve(path, file), do: Path.join(Path.dirname(file), URI.decode(path))
end

CheckLinks.run()
