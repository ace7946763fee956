# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Env do
  @moduledoc false

  # The option :env. Its values may be secrets, and from here on they are in a closure: inspect/1
  # shows the names alone, `~p` and a crash report in Erlang's format show no more than that there
  # is a function. So they are in no log, whoever writes it. Messages about invalid variables
  # leave values out, too.

  import MuonTrap.Options.Text, only: [text?: 1]

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

  @doc "Checks and hides the option. An error is what is wrong, without any value."
  @spec parse(term()) :: {:ok, t()} | {:error, String.t()}
  def parse(%__MODULE__{reveal: reveal}), do: parse(reveal.())

  def parse(value) do
    if enumerable?(value) do
      pairs = Enum.map(value, &pair/1)

      case List.keyfind(pairs, :error, 0) do
        nil -> {:ok, %{hide(value) | reveal: fn -> pairs end}}
        error -> error
      end
    else
      {:error, "expected " <> expected()}
    end
  end

  @doc "What the option takes, in words."
  @spec expected() :: String.t()
  def expected, do: "a list or map of pairs of strings such as {\"NAME\", \"value\"}"

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

  defp pair(_other), do: {:error, "expected #{expected()}, got an element that is no pair"}

  defp name_hint(name) when is_atom(name), do: " (write #{inspect(Atom.to_string(name))})"

  defp name_hint(name) when is_binary(name),
    do: " (it is not empty, and has no equals sign and no null byte)"

  defp name_hint(_name), do: " (it is a string)"

  defp name?(name), do: text?(name) and name != "" and not String.contains?(name, "=")

  defp show(name) when is_binary(name) or is_atom(name), do: name |> shown() |> inspect()
  defp show(_name), do: "what is no string"

  # What follows an equals sign is meant to be a value.
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
