# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Env do
  @moduledoc false

  # The option :env. Its values may be secrets, so they are kept in a closure: inspect/1 shows the
  # names alone, and `~p` and crash reports in Erlang's format show a function. Messages about
  # invalid variables leave the values out, too.

  import MuonTrap.Options.Text, only: [text?: 1]

  @behaviour MuonTrap.Options.Type

  @enforce_keys [:names, :reveal]
  defstruct [:names, :reveal]

  @typedoc "A hidden environment."
  @type t :: %__MODULE__{names: [term()], reveal: fun()}

  @doc "Hides the value of the option, valid or not."
  @spec hide(term()) :: t()
  def hide(%__MODULE__{} = env), do: env
  def hide(value), do: %__MODULE__{names: names(value), reveal: fn -> value end}

  @doc "The variables, in the order in which they were given."
  @spec reveal(t() | []) :: [{name :: binary(), value :: binary() | nil}]
  def reveal([]), do: []
  def reveal(%__MODULE__{reveal: reveal}), do: reveal.()

  @impl MuonTrap.Options.Type
  def expected(:variables),
    do: "a list or map of pairs of strings such as {\"NAME\", \"value\"}"

  @impl MuonTrap.Options.Type
  def typespec(:variables, :given), do: quote(do: Enumerable.t())
  def typespec(:variables, :parsed), do: quote(do: struct() | [])

  # A reason contains no value.
  @impl MuonTrap.Options.Type
  def parse(%__MODULE__{reveal: reveal}, :variables), do: parse(reveal.(), :variables)

  def parse(value, :variables) do
    if enumerable?(value) do
      pairs = Enum.map(value, &pair/1)

      case List.keyfind(pairs, :error, 0) do
        nil -> {:ok, %{hide(value) | reveal: fn -> pairs end}}
        error -> error
      end
    else
      {:error, "expected " <> expected(:variables)}
    end
  end

  defp enumerable?(value) when is_list(value), do: not List.improper?(value)
  defp enumerable?(value) when is_function(value), do: is_function(value, 2)
  defp enumerable?(value), do: Enumerable.impl_for(value) != nil

  defp pair({name, value}) do
    cond do
      not name?(name) ->
        {:error, "#{show(name)} cannot be the name of a variable" <> name_hint(name)}

      value == nil or text?(value) ->
        {name, value}

      true ->
        {:error,
         "the value of #{show(name)} is not a string without null bytes, or nil to remove it"}
    end
  end

  defp pair(_other),
    do: {:error, "expected #{expected(:variables)}, got an element that is no pair"}

  defp name_hint(name) when is_atom(name), do: " (write #{inspect(Atom.to_string(name))})"

  defp name_hint(name) when is_binary(name),
    do: " (it is not empty, and has no equals sign and no null byte)"

  defp name_hint(_name), do: " (it is a string)"

  defp name?(name), do: text?(name) and name != "" and not String.contains?(name, "=")

  defp show(name) when is_binary(name) or is_atom(name), do: name |> shown() |> inspect()
  defp show(_name), do: "what is no string"

  # The text after an equals sign may be a value.
  defp shown(name) when is_binary(name) do
    case :binary.split(name, "=") do
      [name] -> name
      [name, _value] -> name <> "=..."
    end
  end

  defp shown(name), do: name

  defp names(value) when is_map(value) and not is_struct(value),
    do: value |> Map.to_list() |> names()

  defp names([{name, _value} | pairs]) when is_binary(name) or is_atom(name),
    do: [shown(name) | names(pairs)]

  defp names(_other), do: []

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(env, opts), do: concat(["#MuonTrap.Env<", to_doc(env.names, opts), ">"])
  end
end
