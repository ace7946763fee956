# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Events do
  @moduledoc """
  The log messages of a `MuonTrap.Daemon` about its program, other than the output: how it ended, and
  that there is no such program.

  They come from this module, with the metadata of the daemon, so that the module's log level applies
  to them alone:

      # Only errors.
      Logger.put_module_level(MuonTrap.Daemon.Events, :error)

      # Nothing.
      Logger.put_module_level(MuonTrap.Daemon.Events, :none)
  """

  alias MuonTrap.{Native, Options}
  alias MuonTrap.Error.Exec
  alias MuonTrap.Options.Signals
  alias MuonTrap.Session.Frame

  require Logger

  @doc false
  @spec metadata(Options.t()) :: keyword()
  def metadata(options), do: metadata(options.command, options.args, options.logger_metadata)

  defp metadata(command, args, metadata) do
    Keyword.merge(metadata, muontrap_cmd: command, muontrap_args: Enum.join(args, " "))
  end

  @doc false
  @spec exited(binary(), Frame.report()) :: :ok
  def exited(command, %{exit_status: 0} = report) do
    Logger.info([name(command), "Process exited successfully"])
    if report.swept > 0, do: Logger.warning([name(command), backgrounded(report)]), else: :ok
  end

  def exited(command, report) do
    Logger.error([name(command), "Process exited with status #{report.exit_status}", why(report)])
  end

  defp why(%{signal: nil}), do: []
  defp why(%{oom_killed: true} = report), do: " (#{Signals.name(report.signal)}, out of memory)"
  defp why(report), do: " (#{Signals.name(report.signal)})"

  defp backgrounded(report) do
    "Process exited with status 0 after #{div(report.wall_time_us, 1000)} ms, and " <>
      left(report.swept) <>
      " killed. If it is a server that puts itself in the background, run it in the foreground: " <>
      "most have an option for that. Or use orphans: :leave, and stop by other means what it leaves."
  end

  defp left(1), do: "1 process that it left behind was"
  defp left(count), do: "#{count} processes that it left behind were"

  @doc false
  @spec failed(Exception.t()) :: :ok
  def failed(error), do: Logger.error(Exception.message(error))

  @doc false
  # Called in the process that calls start_link/3, which does not have the metadata of the daemon.
  @spec not_found(binary(), [binary()], keyword()) :: :ok
  def not_found(command, args, opts) do
    metadata = metadata(command, args, Keyword.get(opts, :logger_metadata, []))
    Logger.error([name(command), missing(command)], metadata)
  end

  @doc false
  @spec not_started(Options.t(), term()) :: :ok
  def not_started(options, :enoent),
    do: Logger.error([name(options.command), missing(options.command)])

  def not_started(options, :eacces) do
    Logger.error([name(options.command), Exec.explain(:eacces, options.command, :daemon)])
  end

  def not_started(_options, _error), do: :ok

  defp missing(command), do: Exec.explain(:enoent, command, :daemon)

  defp name(command), do: [Native.printable(command), ": "]
end
