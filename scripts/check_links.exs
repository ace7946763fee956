# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Checks the project's Markdown files: every relative link leads to a file, and to a heading in it if
# the link has a fragment; every file or folder of the project that is named in code style exists; and
# docs/walkthrough.md names no source file twice, neither by itself nor by its folder. Links to other sites
# are not followed.
#
#     elixir scripts/check_links.exs

defmodule CheckLinks do
  @walkthrough "docs/walkthrough.md"
  @fenced_code ~r/^ *(```|~~~).*?^ *\1 *$/ms
  @inline_code ~r/`[^`\n]*`/
  # A path below one of the project's folders, alone or as the first word of a command.
  @path ~r/`((?:src|lib|mix|test|bench|docs|examples|scripts|\.ci)\/[^`\s*<>{}$]*)(?: [^`\n]*)?`/
  @link ~r/\[[^\]]*\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)/m

  def run do
    files = Path.wildcard("*.md") ++ Path.wildcard("docs/**/*.md")

    broken =
      for file <- files, link <- links(file), not leads_somewhere?(link, file), do: {file, link}

    missing = for file <- files, path <- paths(file), not File.exists?(path), do: {file, path}
    repeated = for {file, count} <- source_files(), count > 1, do: {file, count}

    for {file, link} <- broken, do: IO.puts("#{file}: #{link} leads nowhere")
    for {file, path} <- missing, do: IO.puts("#{file}: #{path} does not exist")
    for {file, count} <- repeated, do: IO.puts("#{@walkthrough}: names #{file} #{count} times")
    if broken ++ missing ++ repeated != [], do: System.halt(1)
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
    text = file |> File.read!() |> without(@fenced_code)
    for [_, path] <- Regex.scan(@path, text), do: path
  end

  defp links(file) do
    text = file |> File.read!() |> without(@fenced_code) |> without(@inline_code)
    for [_ | groups] <- Regex.scan(@link, text), do: List.last(groups)
  end

  defp leads_somewhere?(link, file) do
    case String.split(link, "#", parts: 2) do
      [_, _] = [path, fragment] -> local?(link, path, file) and heading?(path, fragment, file)
      [path] -> local?(link, path, file)
    end
  end

  # Links to other sites count as good.
  defp local?(link, path, file),
    do: elsewhere?(link) or path == "" or File.exists?(resolve(path, file))

  defp heading?(path, fragment, file) do
    target = if path == "", do: file, else: resolve(path, file)
    elsewhere?(path) or Path.extname(target) != ".md" or fragment in anchors(target)
  end

  defp elsewhere?(link), do: link =~ ~r/^[a-z][a-z0-9+.-]*:/

  defp resolve(path, file), do: Path.join(Path.dirname(file), URI.decode(path))

  # As on GitHub: small letters, spaces as hyphens, no punctuation, and numbered when repeated.
  defp anchors(file) do
    text = file |> File.read!() |> without(@fenced_code)

    {anchors, _} =
      ~r/^\#{1,6} +(.+?) *\#*$/m
      |> Regex.scan(text, capture: :all_but_first)
      |> Enum.map_reduce(%{}, fn [heading], seen ->
        slug = slug(heading)
        count = Map.get(seen, slug, 0)
        {if(count == 0, do: slug, else: "#{slug}-#{count}"), Map.put(seen, slug, count + 1)}
      end)

    anchors
  end

  defp slug(heading) do
    heading
    |> String.replace(~r/\[([^\]]*)\]\([^)]*\)/, "\\1")
    |> String.downcase()
    |> String.replace(~r/[^\p{L}\p{N}\s_-]/u, "")
    |> String.replace(" ", "-")
  end

  defp without(text, regex), do: Regex.replace(regex, text, "")
end

CheckLinks.run()
