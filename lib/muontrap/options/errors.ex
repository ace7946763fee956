# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Errors do
  @moduledoc false

  # The errors for wrong options. The messages say how to fix them, and do not contain the values of
  # secret and of unknown options.

  alias MuonTrap.Options.{Arguments, Nearest, Table}

  @supervisor_options [:id, :restart, :shutdown, :significant, :start, :type, :modules]

  # Names of these options in other functions and libraries.
  @synonyms %{
    cwd: :cd,
    dir: :cd,
    directory: :cd,
    environment: :env,
    group: :gid,
    kill_timeout: :delay_to_sigkill,
    log: :log_output,
    max_chunk_size: :max_chunk_bytes,
    output: :stdout,
    signal: :stop_signal,
    stdin: :input,
    user: :uid
  }

  @doc "The error for a value that the option cannot have."
  @spec invalid_value(Table.row(), term(), reason :: String.t()) :: Exception.t()
  def invalid_value(%{secret: true} = row, _value, reason),
    do: error("invalid option #{inspect(row.name)}: #{reason}")

  def invalid_value(%{secret: :data} = row, value, reason),
    do: error("invalid option #{inspect(row.name)} with value #{show_data(value)}: #{reason}")

  def invalid_value(row, value, reason),
    do: error("invalid option #{inspect(row.name)} with value #{inspect(value)}: #{reason}")

  @doc "The error for an option that only other functions have."
  @spec misplaced_option(Table.row(), term(), Table.context()) :: Exception.t()
  def misplaced_option(row, value, context) do
    functions = row.contexts |> Enum.map(&Table.function/1) |> Nearest.join("and")
    have = if match?([_one], row.contexts), do: "has", else: "have"

    invalid_value(
      row,
      value,
      "only #{functions} #{have} it, not #{Table.function(context)} (#{instead(row, context)})"
    )
  end

  defp instead(%{contexts: [:daemon]}, _context),
    do: "run the program with MuonTrap.Daemon, or leave it out"

  defp instead(%{contexts: [:process]}, _context),
    do: "run the program with MuonTrap.Process, or leave it out"

  defp instead(row, context), do: Keyword.get(row.instead, context, "leave it out")

  @doc "The error for an option that no function has."
  @spec unknown_option(term(), Table.context()) :: Exception.t()
  def unknown_option(name, context),
    do: error("invalid option #{show_name(name)}: " <> why_unknown(name, context))

  defp why_unknown(name, _context) when not is_atom(name),
    do: "the name of an option is an atom, such as :cd"

  defp why_unknown(name, context) when name in @supervisor_options do
    module = if context == :process, do: "MuonTrap.Process", else: "MuonTrap.Daemon"

    "it belongs to the child specification: " <>
      "Supervisor.child_spec({#{module}, [command, args, opts]}, #{name}: ...)"
  end

  defp why_unknown(name, context),
    do: "#{Table.function(context)} has no such option" <> suggestion(name, context)

  defp suggestion(name, context) do
    known = Table.names(context)

    if @synonyms[name] in known,
      do: ". Did you mean #{inspect(@synonyms[name])}?",
      else: Nearest.suggestion(name, known)
  end

  # A wrong atom is not what a program is to read.
  defp show_data(value) when is_atom(value), do: inspect(value)
  defp show_data(value), do: "(#{Arguments.kind(value)})"

  defp show_name(name) when is_atom(name) or is_binary(name), do: inspect(name)
  defp show_name(name), do: Arguments.kind(name)

  defp error(message), do: ArgumentError.exception(message)
end
