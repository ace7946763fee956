# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Type do
  @moduledoc false

  # The types of options: checking a value, and saying what is permitted.

  alias MuonTrap.Options.Nearest

  import MuonTrap.Options.Text, only: [text?: 1]

  @typedoc """
  `:custom` has a function that returns a `t:result/0` and what it permits, in words. Values of
  `:secret` are not shown.
  """
  @type t ::
          :binary
          | :boolean
          | :keyword
          | :path
          | :string
          | {:custom, {module(), atom()}, expected :: String.t()}
          | {:function, arity()}
          | {:integer, least :: integer(), most :: integer() | :infinity, unit :: String.t()}
          | {:one_of, [atom(), ...]}
          | {:or, atom(), t()}
          | {:secret, module(), atom()}

  @type result :: {:ok, term()} | {:error, reason :: String.t()} | :error

  @doc "Checks a value. The value that it returns may have another form."
  @spec parse(t(), term()) :: {:ok, term()} | {:error, reason :: String.t()}
  def parse(type, value) do
    case not improper?(value) and check(type, value) do
      true -> {:ok, value}
      false -> {:error, expectation(type, value)}
      :error -> {:error, expectation(type, value)}
      result -> result
    end
  end

  defp improper?(value), do: is_list(value) and List.improper?(value)

  defp check(:binary, value), do: is_binary(value)
  defp check(:boolean, value), do: is_boolean(value)
  defp check(:keyword, value), do: Keyword.keyword?(value)
  defp check(:path, value), do: text?(value) and value != ""
  defp check(:string, value), do: text?(value)
  defp check({:custom, {module, parse}, _expected}, value), do: apply(module, parse, [value])
  defp check({:function, arity}, value), do: is_function(value, arity)
  # Any integer is smaller than an atom.
  defp check({:integer, least, most, _unit}, value),
    do: is_integer(value) and least <= value and value <= most

  defp check({:one_of, values}, value), do: value in values
  defp check({:or, value, _type}, value), do: true
  defp check({:or, _value, type}, value), do: check(type, value)
  defp check({:secret, module, parse}, value), do: apply(module, parse, [value])

  defp expectation({:secret, module, _parse}, _value), do: "expected " <> module.expected()
  defp expectation(type, value), do: "expected " <> expected(type) <> hint(type, value)

  @spec expected(t()) :: String.t()
  defp expected(:binary), do: "a string"
  defp expected(:boolean), do: "true or false"
  defp expected(:keyword), do: "a keyword list"
  defp expected(:path), do: "a path: a string that is not empty and has no null byte"
  defp expected(:string), do: "a string without null bytes"
  defp expected({:custom, _parse, expected}), do: expected
  defp expected({:function, arity}), do: "a function of #{arguments(arity)}"
  defp expected({:integer, least, :infinity, unit}), do: "#{unit}, #{least} or more"
  defp expected({:integer, least, most, unit}), do: "#{unit} from #{least} to #{most}"
  defp expected({:one_of, values}), do: Nearest.list(values, "or")
  defp expected({:or, value, type}), do: expected(type) <> ", or #{inspect(value)}"

  defp arguments(0), do: "no arguments"
  defp arguments(1), do: "one argument"

  # What people write who come from Erlang, or from a configuration in text.
  defp hint(_type, nil), do: " (leave the option out for the default)"
  defp hint(type, value) when is_binary(value), do: text_hint(type, value)

  defp hint(type, value) when is_atom(value) and not is_boolean(value) do
    if expected(type) =~ "a string", do: " (write #{inspect(Atom.to_string(value))})", else: ""
  end

  defp hint(_type, [_ | _] = value) do
    if not improper?(value) and List.ascii_printable?(value),
      do: " (this is a charlist: a string has double quotes)",
      else: ""
  end

  defp hint(_type, _value), do: ""

  defp text_hint({:or, _value, type}, text), do: text_hint(type, text)

  defp text_hint({:integer, _least, _most, _unit}, text) do
    case Integer.parse(text) do
      {_number, ""} -> " (write it without quotes)"
      _other -> ""
    end
  end

  defp text_hint(:boolean, text) when text in ["true", "false"], do: " (write it without quotes)"

  defp text_hint({:one_of, values}, text) do
    if Enum.any?(values, &(Atom.to_string(&1) == text)), do: " (write it as :#{text})", else: ""
  end

  defp text_hint(_type, _text), do: ""
end
