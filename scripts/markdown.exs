# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Markdown do
  @moduledoc false
  # What the checks of the documents have to know about Markdown.

  @fenced_code ~r/^ *(```|~~~).*?^ *\1 *$/ms
  @inline_code ~r/`[^`\n]*`/
  @link ~r/\[[^\]]*\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)/m
  @heading ~r/^\#{1,6} +(.+?) *\#*$/m

  @doc "The pages of the project."
  @spec files() :: [Path.t()]
  def files, do: Path.wildcard("*.md") ++ Path.wildcard("docs/**/*.{md,cheatmd,livemd}")

  @doc "The text without blocks of code."
  @spec prose(String.t()) :: String.t()
  def prose(text), do: Regex.replace(@fenced_code, text, "")

  @doc "What stands in code style."
  @spec code(String.t()) :: [String.t()]
  def code(text) do
    for [code] <- Regex.scan(@inline_code, prose(text)), do: String.slice(code, 1..-2//1)
  end

  @doc "Where the links lead to."
  @spec links(String.t()) :: [String.t()]
  def links(text) do
    text = Regex.replace(@inline_code, prose(text), "")
    for [_ | groups] <- Regex.scan(@link, text), do: List.last(groups)
  end

  @doc """
  The fragments of the headings that are the same on GitHub and in the pages of ExDoc. A heading that the two
  name differently, such as "Elixir 1.14", has none.
  """
  @spec fragments(String.t()) :: [String.t()]
  def fragments(text) do
    headings =
      for [heading] <- Regex.scan(@heading, prose(text), capture: :all_but_first), do: heading

    github = numbered(headings, &github/1)
    exdoc = numbered(headings, &exdoc/1)
    for {fragment, fragment} <- Enum.zip(github, exdoc), do: fragment
  end

  # Repeated ones get a number.
  defp numbered(headings, slug) do
    {slugs, _seen} =
      Enum.map_reduce(headings, %{}, fn heading, seen ->
        slug = heading |> String.replace(~r/\[([^\]]*)\]\([^)]*\)/, "\\1") |> slug.()
        count = Map.get(seen, slug, 0)
        {if(count == 0, do: slug, else: "#{slug}-#{count}"), Map.put(seen, slug, count + 1)}
      end)

    slugs
  end

  defp github(heading) do
    heading
    |> String.downcase()
    |> String.replace(~r/[^\p{L}\p{N}\s_-]/u, "")
    |> String.replace(" ", "-")
  end

  defp exdoc(heading),
    do: heading |> String.replace(~r/\W+/u, "-") |> String.trim("-") |> String.downcase()
end
