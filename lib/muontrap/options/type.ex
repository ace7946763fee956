# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Type do
  @moduledoc false

  # The types of options: checking a value, and the words for what is permitted.
  #
  # A type is a term, so that the table of options is a literal of its module and costs nothing at
  # run time. A new shape is one clause of `check/2`, of `expected/1` and of Typespec.typespec/2.
  # A type that is no combination of others is a module with the callbacks below.

  alias MuonTrap.Options.Nearest

  import MuonTrap.Options.Text, only: [text?: 1]

  @typedoc """
  The texts are for messages. `:integer` takes its unit, `:list` and `:tuple` take a description,
  and `:keys` the noun for one of its keys.
  """
  @type t ::
          :atom
          | :binary
          | :boolean
          | :iodata
          | :keyword
          | :list
          | :path
          | :permissions
          | :string
          | {:custom, module(), kind :: atom()}
          | {:function, arity()}
          | {:integer, min :: integer(), max :: integer() | :infinity, String.t()}
          | {:keys, :map | :keyword, String.t(), [{atom(), t(), doc :: String.t()}, ...]}
          | {:list, t(), String.t()}
          | {:one_of, [atom(), ...]}
          | {:or, [t(), ...]}
          | {:protocol, module(), String.t()}
          | {:tuple, [t(), ...], String.t()}

  @typedoc "`:error` stands for the reason that `expected/1` gives."
  @type result :: {:ok, parsed :: term()} | {:error, reason :: String.t()} | :error

  @doc "Checks a value, and returns it in the form that the library uses from there on."
  @callback parse(value :: term(), kind :: atom()) :: result()

  @doc "What `parse/2` accepts, for the end of a sentence that begins with \"expected\"."
  @callback expected(kind :: atom()) :: String.t()

  @doc "The typespec of what `parse/2` accepts (`:given`), and of what it returns (`:parsed`)."
  @callback typespec(kind :: atom(), :given | :parsed) :: Macro.t()

  @doc "Checks a value. The parsed value may have another form."
  @spec parse(t(), term()) :: {:ok, term()} | {:error, reason :: String.t()}
  def parse(type, value) do
    with :error <- check(type, value), do: {:error, "expected " <> expectation(type, value)}
  end

  @spec check(t(), term()) :: result()
  defp check({:custom, module, kind}, value) do
    if improper?(value), do: :error, else: module.parse(value, kind)
  end

  defp check({:or, types}, value) do
    Enum.find_value(types, :error, &with(:error <- check(&1, value), do: nil))
  end

  defp check({:list, type, _text}, value) do
    if is_list(value) and not improper?(value), do: check_all(value, type), else: :error
  end

  defp check({:tuple, types, _text}, value) do
    with true <- is_tuple(value) and tuple_size(value) == length(types),
         {:ok, parsed} <- check_each(Tuple.to_list(value), types) do
      {:ok, List.to_tuple(parsed)}
    else
      false -> :error
      other -> other
    end
  end

  defp check({:keys, container, noun, keys}, value) do
    if container?(container, value), do: check_keys(value, noun, keys), else: :error
  end

  defp check(type, value), do: if(valid?(type, value), do: {:ok, value}, else: :error)

  defp valid?(:atom, value), do: is_atom(value)
  defp valid?(:binary, value), do: is_binary(value)
  defp valid?(:boolean, value), do: is_boolean(value)
  defp valid?(:iodata, value), do: is_binary(value) or (is_list(value) and iodata?(value))
  defp valid?(:keyword, value), do: Keyword.keyword?(value)
  defp valid?(:list, value), do: is_list(value) and not improper?(value)
  defp valid?(:path, value), do: text?(value) and value != ""
  defp valid?(:permissions, value), do: value in 0..0o777
  defp valid?(:string, value), do: text?(value)
  defp valid?({:function, arity}, value), do: is_function(value, arity)
  # Any integer is smaller than the atom :infinity.
  defp valid?({:integer, min, max, _unit}, value),
    do: is_integer(value) and min <= value and value <= max

  defp valid?({:one_of, values}, value), do: value in values

  defp valid?({:protocol, protocol, _text}, value),
    do: not improper?(value) and protocol.impl_for(value) != nil

  defp check_all(values, type), do: check_each(values, Stream.repeatedly(fn -> type end))

  defp check_each(values, types) do
    values
    |> Enum.zip(types)
    |> Enum.reduce_while({:ok, []}, fn {value, type}, {:ok, parsed} ->
      case check(type, value) do
        {:ok, value} -> {:cont, {:ok, [value | parsed]}}
        other -> {:halt, other}
      end
    end)
    |> with_order()
  end

  defp with_order({:ok, reversed}), do: {:ok, Enum.reverse(reversed)}
  defp with_order(other), do: other

  defp container?(:map, value), do: is_map(value) and not is_struct(value)
  defp container?(:keyword, value), do: Keyword.keyword?(value)

  defp check_keys(pairs, noun, keys) do
    Enum.reduce_while(pairs, {:ok, %{}}, fn {key, value}, {:ok, parsed} ->
      case check_key(key, value, noun, keys) do
        {:ok, value} -> {:cont, {:ok, Map.put(parsed, key, value)}}
        {:error, _reason} = error -> {:halt, error}
      end
    end)
  end

  defp check_key(key, value, noun, keys) do
    with {^key, type, _doc} <- List.keyfind(keys, key, 0),
         :error <- check(type, value) do
      {:error, "the #{noun} #{inspect(key)} takes " <> expectation(type, value)}
    else
      nil -> {:error, "there is no #{noun} #{inspect(key)}" <> suggestion(key, keys)}
      result -> result
    end
  end

  defp suggestion(key, keys), do: Nearest.suggestion(key, Enum.map(keys, &elem(&1, 0)))

  defp iodata?(list) do
    IO.iodata_length(list) >= 0
  rescue
    ArgumentError -> false
  end

  defp improper?(value), do: is_list(value) and List.improper?(value)

  defp expectation(type, value), do: expected(type) <> hint(type, value)

  @doc "What a type accepts, in words."
  @spec expected(t()) :: String.t()
  def expected(:atom), do: "an atom"
  def expected(:binary), do: "a string"
  def expected(:boolean), do: "true or false"
  def expected(:iodata), do: "iodata"
  def expected(:keyword), do: "a keyword list"
  def expected(:list), do: "a list"
  def expected(:path), do: "a path: a string that is not empty and has no null byte"
  def expected(:permissions), do: "permission bits from 0 to 0o777"
  def expected(:string), do: "a string without null bytes"
  def expected({:custom, module, kind}), do: module.expected(kind)
  def expected({:function, 0}), do: "a function of no arguments"
  def expected({:function, 1}), do: "a function of one argument"
  def expected({:function, 2}), do: "a function of two arguments"
  def expected({:integer, min, :infinity, unit}), do: "#{unit}, #{min} or more"
  def expected({:integer, min, max, unit}), do: "#{unit} from #{min} to #{max}"
  def expected({:keys, :map, noun, keys}), do: "a map of #{noun}s such as %{#{example(keys)}}"
  def expected({:keys, :keyword, noun, keys}), do: "a list of #{noun}s such as [#{example(keys)}]"
  def expected({:list, type, text}), do: text <> ", where each is " <> expected(type)
  def expected({:one_of, values}), do: Nearest.list(values, "or")

  def expected({:or, [{:one_of, values} | types]}),
    do: alternatives(Enum.map(values, &inspect/1) ++ Enum.map(types, &expected/1))

  def expected({:or, types}), do: types |> Enum.map(&expected/1) |> alternatives()
  def expected({:protocol, _protocol, text}), do: text
  def expected({:tuple, _types, text}), do: text

  defp example([{key, _type, _doc} | _keys]), do: "#{key}: ..."

  defp alternatives(texts) do
    {first, [last]} = Enum.split(texts, -1)
    Enum.join(first, ", ") <> ", or " <> last
  end

  # For what people write who come from Erlang, or from a configuration in text.
  defp hint(_type, nil), do: " (leave it out for the default)"
  defp hint(type, value) when is_binary(value), do: hint_for_string(type, value)

  defp hint(type, value) when is_atom(value) and not is_boolean(value) do
    if expected(type) =~ "a string", do: " (write #{inspect(Atom.to_string(value))})", else: ""
  end

  defp hint(_type, [_ | _] = value) do
    if not improper?(value) and List.ascii_printable?(value),
      do: " (this is a charlist: a string has double quotes)",
      else: ""
  end

  defp hint(_type, _value), do: ""

  defp hint_for_string({:or, types}, text) do
    Enum.find_value(types, "", fn type ->
      with "" <- hint_for_string(type, text), do: nil
    end)
  end

  defp hint_for_string({:integer, _min, _max, _unit}, text) do
    case Integer.parse(text) do
      {_number, ""} -> " (write it without quotes)"
      _other -> ""
    end
  end

  # Without the prefix, it would be a decimal number.
  defp hint_for_string(:permissions, text) do
    case Integer.parse(text, 8) do
      {number, ""} when number in 0..0o777 -> " (write 0o#{text})"
      _other -> ""
    end
  end

  defp hint_for_string(:boolean, text) when text in ["true", "false"],
    do: " (write it without quotes)"

  defp hint_for_string({:one_of, values}, text) do
    if Enum.any?(values, &(Atom.to_string(&1) == text)), do: " (write it as :#{text})", else: ""
  end

  defp hint_for_string(_type, _text), do: ""
end
