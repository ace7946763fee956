# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Arguments do
  @moduledoc false

  # Checks the arguments of the functions that run programs: command, arguments and options. The
  # messages say how to fix them. Options in the wrong place are not shown, as they may be secrets.

  @doc "Checks the types of the three arguments of a function. Raises `ArgumentError`."
  @spec check(function_name :: String.t(), term(), term(), term()) :: :ok
  def check(function, command, args, opts) do
    check_command(command, function)
    check_args(args, function)
    check_opts(opts, function)
  end

  defp check_command(command, function) when is_binary(command) do
    if has_null?(command) do
      raise ArgumentError,
            "cannot execute #{function} for program with null byte, got: #{inspect(command)}"
    end
  end

  defp check_command(command, function) do
    raise ArgumentError,
          "#{function} expects the command to be a string such as \"echo\", got: " <>
            show(command)
  end

  defp check_args(args, function) when is_list(args) do
    cond do
      List.improper?(args) ->
        raise ArgumentError,
              "all arguments for #{function} must be binaries in a list, got: an improper list"

      not Enum.all?(args, &is_binary/1) ->
        raise ArgumentError,
              "all arguments for #{function} must be binaries, got: " <> show_argument(args)

      Enum.any?(args, &has_null?/1) ->
        raise ArgumentError,
              "cannot execute #{function} with a null byte in an argument, got: #{inspect(args)}"

      true ->
        :ok
    end
  end

  defp check_args(args, function) do
    hint = if is_binary(args), do: " (write [#{show(args)}])", else: ""

    raise ArgumentError,
          "#{function} expects the arguments to be a list of strings, got: #{show(args)}" <>
            hint
  end

  defp show_argument([{name, _value} | _]) when is_atom(name),
    do: "options (the list of arguments goes before them: [], #{name}: ...)"

  defp show_argument(args) do
    if List.ascii_printable?(args),
      do: "#{show(args)} instead of a list of strings",
      else: args |> Enum.find(&(not is_binary(&1))) |> show_element()
  end

  defp show_element(nil), do: "nil"
  defp show_element(number) when is_number(number), do: "#{number} (write \"#{number}\")"
  defp show_element(atom) when is_atom(atom), do: "#{inspect(atom)} (write \"#{atom}\")"
  defp show_element(element), do: show(element)

  defp check_opts(opts, function) when is_list(opts) do
    cond do
      List.improper?(opts) ->
        raise not_keywords(function, "an improper list")

      Enum.all?(opts, &match?({_name, _value}, &1)) ->
        :ok

      true ->
        bad = Enum.find(opts, &(not match?({_name, _value}, &1)))
        raise not_keywords(function, "an element that is no pair" <> show_option(bad))
    end
  end

  defp check_opts(opts, function),
    do: raise(not_keywords(function, kind(opts) <> opts_hint(opts)))

  defp opts_hint(opts) when is_map(opts), do: " (write [cd: \"/\"] instead of %{cd: \"/\"})"

  # As the third element of [command, args, name: value].
  defp opts_hint({name, _value}) when is_atom(name),
    do: " (write [#{name}: ...], with brackets of its own)"

  defp opts_hint(_opts), do: ""

  defp not_keywords(function, given),
    do:
      ArgumentError.exception(
        "expected options to be a keyword list for #{function}, got: #{given}"
      )

  defp show_option(option) when is_atom(option) and option not in [nil, true, false],
    do: ": #{inspect(option)} (write #{option}: value)"

  defp show_option(_secret), do: ""

  @doc "The error for an argument of a module's `child_spec/1` that is no list of two or three."
  @spec invalid_child_spec(module(), term()) :: Exception.t()
  def invalid_child_spec(module, argument) do
    ArgumentError.exception(
      "#{inspect(module)}.child_spec/1 expects [command, args] or [command, args, opts], got: " <>
        shape(argument) <> " (write {#{inspect(module)}, #{instead_of(argument)}})"
    )
  end

  # [command, args, name: value, name: value]
  defp instead_of([command, args, {name, _value}, {_name, _} | _options])
       when is_binary(command) and is_list(args) and is_atom(name),
       do: "[#{inspect(command)}, [...], [#{name}: ..., ...]]"

  defp instead_of([command | args] = words) do
    if not List.improper?(words) and Enum.all?(words, &is_binary/1),
      do: inspect([command, args]),
      else: instead_of(nil)
  end

  defp instead_of(command) when is_binary(command), do: inspect([command, []])
  defp instead_of(_other), do: ~s(["sleep", ["1000"]])

  defp shape(argument) when is_binary(argument), do: show(argument)

  defp shape(argument) when is_list(argument) do
    cond do
      List.improper?(argument) -> "an improper list"
      Enum.all?(argument, &is_binary/1) -> inspect(argument)
      true -> "a list of #{length(argument)}"
    end
  end

  defp shape(argument), do: kind(argument)

  defp has_null?(text), do: :binary.match(text, <<0>>) != :nomatch

  # The contents of a tuple, a map or another list may be options with secrets.
  defp show(value) when is_binary(value) or is_number(value) or is_atom(value), do: inspect(value)

  defp show([_ | _] = value) do
    if not List.improper?(value) and List.ascii_printable?(value),
      do:
        "the charlist '#{value}' (a string has double quotes: #{inspect(List.to_string(value))})",
      else: kind(value)
  end

  defp show(value), do: kind(value)

  @doc "The type of a term, in words."
  @spec kind(term()) :: String.t()
  def kind(value) when is_binary(value), do: "a string"
  def kind(value) when is_boolean(value) or is_nil(value), do: inspect(value)
  def kind(value) when is_atom(value), do: "an atom"
  def kind(value) when is_number(value), do: "a number"
  def kind([]), do: "an empty list"
  def kind(value) when is_list(value), do: "a list"
  def kind(%module{}), do: "a struct of #{inspect(module)}"
  def kind(value) when is_map(value), do: "a map"
  def kind(value) when is_tuple(value), do: "a tuple"
  def kind(value) when is_function(value), do: "a function"
  def kind(_value), do: "another term"
end
