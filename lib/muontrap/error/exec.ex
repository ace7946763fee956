# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Error.Exec do
  @moduledoc false

  # Raises the errors that System.cmd/3 has, too: an ErlangError with :enoent or :eacces. OTP's
  # error_info adds an explanation to its message. The stacktrace has no arguments, since the
  # environment is one of them.

  alias MuonTrap.{Native, Options}
  alias MuonTrap.Options.Table

  # Characters with a meaning for a shell.
  @for_a_shell ["|", "&", ";", "<", ">", "$", "`", "*", "?", "~", "'", "\"", "\\"]

  @type reason :: :enoent | :eacces

  @doc "Raises the error of a program that does not exist or cannot be executed."
  @spec raise(reason(), command :: binary(), Options.context()) :: no_return()
  def raise(reason, command, context) do
    explanation = explain(reason, command, context)

    # After `rescue`, Exception.message/1 does not use error_info, and :enoent alone does not explain
    # that a command line is no program.
    if reason == :enoent and command_line(command) != nil,
      do: Kernel.raise(ErlangError, original: reason, reason: ": " <> explanation)

    :erlang.error(reason, :none, error_info: %{module: __MODULE__, cause: explanation})
  end

  @doc false
  @spec format_error(reason(), list()) :: %{general: String.t()}
  def format_error(_reason, [{_module, _function, _arity, location} | _stacktrace]),
    do: %{general: location[:error_info].cause}

  @doc "Explains the error."
  @spec explain(reason(), command :: binary(), Options.context()) :: String.t()
  def explain(:eacces, command, _context), do: "#{show(command)} is not executable"

  def explain(:enoent, "/" <> _ = command, context),
    do: "there is no program #{show(command)}" <> advice(command, context)

  def explain(:enoent, command, context) do
    path = hd(Native.getenv(~c"PATH") || [""])

    "there is no program #{show(command)} in PATH, which is #{show(path)}" <>
      advice(command, context)
  end

  defp advice(command, context) do
    case command_line(command) do
      nil ->
        path_advice(command)

      [program | args] = words ->
        if Enum.any?(words, &String.contains?(&1, @for_a_shell)),
          do: "; there is no shell unless it is run: " <> call(context, "sh", ["-c", command]),
          else: "; arguments go into the list: " <> call(context, program, args)
    end
  end

  # The words of a command that consists of a program and its arguments.
  defp command_line(command) do
    with [program, _arg | _args] = words <- String.split(command),
         true <- executable?(program) do
      words
    else
      _other -> nil
    end
  end

  defp executable?("/" <> _rest = path), do: File.regular?(path)
  defp executable?(name), do: Native.find_executable(name) != nil

  defp path_advice("/" <> _rest), do: ""

  defp path_advice(path) do
    if String.contains?(path, "/") and File.regular?(path),
      do: "; a path must be absolute: Path.expand(#{show(path)})",
      else: ""
  end

  defp call(context, program, args) do
    name = context |> Table.function() |> String.replace(~r{/\d$}, "")
    "#{name}(#{show(program)}, [#{Enum.map_join(args, ", ", &show/1)}])"
  end

  defp show(text), do: ~s("#{Native.printable(text)}")
end
