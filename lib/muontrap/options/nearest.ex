# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Nearest do
  @moduledoc false

  # Names in messages: the one that was probably meant, and lists of them.

  # The smallest Jaro distance (0 to 1) of two names that count as similar.
  @similar 0.8

  @doc "A sentence with the known names that are similar to `name`, or with all of them."
  @spec suggestion(term(), [atom(), ...]) :: String.t()
  def suggestion(name, known) do
    text = if is_atom(name) or is_binary(name), do: to_string(name), else: ""

    case like(text, Enum.sort(known)) do
      [] -> ". There are #{list(Enum.sort(known), "and")}"
      nearest -> ". Did you mean #{list(nearest, "or")}?"
    end
  end

  defp like(text, known) do
    nearest = Enum.max_by(known, &similarity(&1, text))
    longer = Enum.filter(known, &String.starts_with?(Atom.to_string(&1), text <> "_"))

    cond do
      longer != [] -> longer
      similarity(nearest, text) >= @similar -> [nearest]
      true -> []
    end
  end

  defp similarity(name, text), do: String.jaro_distance(Atom.to_string(name), text)

  @doc "Terms in a sentence: `:a, :b or :c`."
  @spec list([term(), ...], String.t()) :: String.t()
  def list(terms, conjunction), do: terms |> Enum.map(&inspect/1) |> join(conjunction)

  @doc "Texts in a sentence: `a, b or c`."
  @spec join([String.t(), ...], String.t()) :: String.t()
  def join(texts, conjunction) do
    case Enum.split(texts, -1) do
      {[], [last]} -> last
      {first, [last]} -> "#{Enum.join(first, ", ")} #{conjunction} #{last}"
    end
  end
end
