# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Docs do
  @moduledoc false

  # Generates the "Options" sections of the documentation from the table of options, at compile time.

  alias MuonTrap.Options.{Nearest, Table}

  @doc "All options of a function, in groups."
  @spec options(Table.context()) :: String.t()
  def options(context) do
    paragraphs =
      for {introduction, rows} <- Table.groups(),
          rows = Enum.filter(rows, &(context in &1.contexts)),
          rows != [],
          do: [one_line(introduction) | Enum.map(rows, &item/1)]

    paragraphs |> List.flatten() |> Enum.join("\n\n")
  end

  @doc "The options of a function, as the differences to another function."
  @spec options(Table.context(), Table.context()) :: String.t()
  def options(context, other) do
    missing = Table.names(other) -- Table.names(context)
    more = Enum.reject(Table.rows(context), &(other in &1.contexts))

    Enum.join(
      [
        "Those of `#{Table.function(other)}`#{except(missing)}#{and_these(more)}"
        | Enum.map(more, &item/1)
      ],
      "\n\n"
    )
  end

  defp except([]), do: ""

  defp except(names),
    do: " except " <> (names |> Enum.map(&"`#{inspect(&1)}`") |> Nearest.join("and"))

  defp and_these([]), do: "."
  defp and_these(_rows), do: ", and these:"

  defp item(row),
    do: "  * `#{inspect(row.name)}` - #{one_line(row.doc)}#{default(row)}#{keys(row.type)}"

  defp default(%{default: nil}), do: ""

  defp default(%{default: default, defaults: []}),
    do: ". The default is `#{show(default)}`"

  defp default(%{default: default, defaults: [{_context, other} | _] = defaults}) do
    functions = Enum.map(defaults, fn {context, _other} -> "`#{Table.function(context)}`" end)

    ". The default is `#{show(default)}`, and `#{show(other)}` for " <>
      Nearest.join(functions, "and")
  end

  # As in source code: 10_240.
  defp show(number) when is_integer(number) do
    number
    |> Integer.digits()
    |> Enum.reverse()
    |> Enum.chunk_every(3)
    |> Enum.map_join("_", &Enum.join/1)
    |> String.reverse()
  end

  defp show(value), do: inspect(value)

  defp keys({:keys, _container, _noun, keys}) do
    items = for {key, _type, doc} <- keys, do: "\n      * `#{inspect(key)}` - #{one_line(doc)}"
    "\n" <> Enum.join(items)
  end

  defp keys(_type), do: ""

  defp one_line(text), do: text |> String.split() |> Enum.join(" ")
end
