# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Mistake do
  @moduledoc false

  # Errors for wrong arguments and options, which also say what to write instead. The values of
  # unknown options and of secret ones are not shown.

  alias MuonTrap.Options.{Nearest, Table}

  @type function_name :: String.t()

  @supervisor_options [:id, :restart, :shutdown, :significant, :start, :type, :modules]

  # Names that other functions and libraries have for it.
  @synonyms %{
    cwd: :cd,
    dir: :cd,
    directory: :cd,
    environment: :env,
    group: :gid,
    kill_timeout: :delay_to_sigkill,
    log: :log_output,
    signal: :stop_signal,
    stderr: :stderr_to_stdout,
    user: :uid
  }

  @doc "A value that the option cannot have."
  @spec invalid_value(Table.row(), term(), reason :: String.t()) :: Exception.t()
  def invalid_value(%{secret: true} = row, _value, reason),
    do: error("invalid option #{inspect(row.name)}: #{reason}")

  def invalid_value(row, value, reason),
    do: error("invalid option #{inspect(row.name)} with value #{inspect(value)}: #{reason}")

  @doc "An option that only other functions have."
  @spec misplaced_option(Table.row(), term(), Table.context()) :: Exception.t()
  def misplaced_option(row, value, context) do
    functions = row.contexts |> Enum.map(&function/1) |> Nearest.join("and")
    have = if match?([_one], row.contexts), do: "has", else: "have"

    invalid_value(
      row,
      value,
      "only #{functions} #{have} it, not #{function(context)} (#{instead(row, context)})"
    )
  end

  defp instead(%{contexts: [:daemon]}, _context),
    do: "run the program with MuonTrap.Daemon, or leave it out"

  defp instead(row, context), do: Keyword.get(row.instead, context, "leave it out")

  @doc "An option that no function has."
  @spec unknown_option(term(), Table.context()) :: Exception.t()
  def unknown_option(name, context),
    do: error("invalid option #{show_name(name)}: " <> why_unknown(name, context))

  defp why_unknown(name, _context) when not is_atom(name),
    do: "the name of an option is an atom, such as :cd"

  defp why_unknown(name, _context) when name in @supervisor_options do
    "it belongs to the child specification: " <>
      "Supervisor.child_spec({MuonTrap.Daemon, [command, args, opts]}, #{name}: ...)"
  end

  defp why_unknown(name, context),
    do: "#{function(context)} has no such option" <> suggestion(name, context)

  defp suggestion(name, context) do
    known = Table.names(context)

    if @synonyms[name] in known,
      do: ". Did you mean #{inspect(@synonyms[name])}?",
      else: Nearest.suggestion(name, known)
  end

  @doc "The name of the function, for messages."
  @spec function(Table.context() | :child_spec) :: function_name()
  def function(:child_spec), do: "MuonTrap.Daemon.child_spec/1"
  def function(context), do: Table.function(context)

  @doc "Checks the types of the three arguments. Raises `ArgumentError`."
  @spec check_arguments(Table.context() | :child_spec, term(), term(), term()) :: :ok
  def check_arguments(context, command, args, opts) do
    function = function(context)
    check_command(command, function)
    check_args(args, function)
    check_opts(opts, function)
  end

  defp check_command(command, function) when is_binary(command) do
    if has_null?(command) do
      raise error(
              "cannot execute #{function} for program with null byte, got: #{inspect(command)}"
            )
    end
  end

  defp check_command(command, function) do
    raise error(
            "#{function} expects the command to be a string such as \"echo\", got: " <>
              show(command)
          )
  end

  defp check_args(args, function) when is_list(args) do
    cond do
      List.improper?(args) ->
        raise error(
                "all arguments for #{function} must be binaries in a list, got: an improper list"
              )

      not Enum.all?(args, &is_binary/1) ->
        raise error(
                "all arguments for #{function} must be binaries, got: " <> show_argument(args)
              )

      Enum.any?(args, &has_null?/1) ->
        raise error(
                "cannot execute #{function} with a null byte in an argument, got: #{inspect(args)}"
              )

      true ->
        :ok
    end
  end

  defp check_args(args, function) do
    hint = if is_binary(args), do: " (write [#{show(args)}])", else: ""

    raise error(
            "#{function} expects the arguments to be a list of strings, got: #{show(args)}" <>
              hint
          )
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

  # The third element of [command, args, name: value].
  defp opts_hint({name, _value}) when is_atom(name),
    do: " (write [#{name}: ...], with brackets of its own)"

  defp opts_hint(_opts), do: ""

  defp not_keywords(function, given),
    do: error("expected options to be a keyword list for #{function}, got: #{given}")

  defp show_option(option) when is_atom(option) and option not in [nil, true, false],
    do: ": #{inspect(option)} (write #{option}: value)"

  defp show_option(_secret), do: ""

  @doc "An argument of `MuonTrap.Daemon.child_spec/1` that is no list of two or three."
  @spec child_spec_argument(term()) :: Exception.t()
  def child_spec_argument(argument) do
    error(
      "#{function(:child_spec)} expects [command, args] or [command, args, opts], got: " <>
        shape(argument) <> " (write {MuonTrap.Daemon, #{instead_of(argument)}})"
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

  # What may be shown of a wrong argument: not what is in a tuple or a map, which may be options.
  defp show(value) when is_binary(value) or is_number(value) or is_atom(value), do: inspect(value)

  defp show([_ | _] = value) do
    if not List.improper?(value) and List.ascii_printable?(value),
      do:
        "the charlist '#{value}' (a string has double quotes: #{inspect(List.to_string(value))})",
      else: kind(value)
  end

  defp show(value), do: kind(value)

  defp kind(value) when is_binary(value), do: "a string"
  defp kind(value) when is_boolean(value) or is_nil(value), do: inspect(value)
  defp kind(value) when is_atom(value), do: "an atom"
  defp kind(value) when is_number(value), do: "a number"
  defp kind([]), do: "an empty list"
  defp kind(value) when is_list(value), do: "a list"
  defp kind(%module{}), do: "a struct of #{inspect(module)}"
  defp kind(value) when is_map(value), do: "a map"
  defp kind(value) when is_tuple(value), do: "a tuple"
  defp kind(value) when is_function(value), do: "a function"
  defp kind(_value), do: "another term"

  defp show_name(name) when is_atom(name) or is_binary(name), do: inspect(name)
  defp show_name(name), do: kind(name)

  defp error(message), do: ArgumentError.exception(message)
end
