# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Output do
  @moduledoc false

  # Chooses what happens to the output of a daemon.

  alias MuonTrap.{Native, Options}

  require Logger

  @type stream :: :stdout | :stderr

  @typedoc """
  What handles chunks or lines of a stream; `nil` when they are not used. A function of this module would be invalid after
  two code upgrades, and the daemon would crash.
  """
  @type handler ::
          (binary() -> term())
          | {(binary(), stream() -> term()), stream()}
          | {module(), function :: atom(), args :: list()}
          | {:log, Logger.level(), prefix :: String.t(), transform :: (binary() -> term())}
          | nil

  @type handlers :: %{chunk: handler(), line: handler()}

  @doc "The handlers that the options describe, for each stream."
  @spec handlers(Options.t()) :: %{required(stream()) => handlers()}
  def handlers(options) do
    for stream <- [:stdout, :stderr], into: %{} do
      {stream, %{chunk: callback(options.output_fun, stream), line: line(options, stream)}}
    end
  end

  defp line(%{logger_fun: nil} = options, stream), do: log(options, level(options, stream))
  defp line(options, stream), do: callback(options.logger_fun, stream)

  defp level(options, :stdout), do: options.log_output
  defp level(options, :stderr), do: options.log_stderr || options.log_output

  defp log(_options, nil), do: nil

  defp log(options, level) do
    prefix = Native.printable(options.log_prefix || options.command <> ": ")
    {:log, level, prefix, options.log_transform || (&Native.printable/1)}
  end

  defp callback(nil, _stream), do: nil
  defp callback(fun, _stream) when is_function(fun, 1), do: fun
  defp callback(fun, stream) when is_function(fun, 2), do: {fun, stream}
  defp callback({module, function}, _stream), do: {module, function, []}
  defp callback({module, function, args}, _stream), do: {module, function, args}

  @doc "Handles a chunk or a line. Logs with the metadata of the calling process."
  @spec handle(handler(), binary()) :: term()
  def handle(fun, data) when is_function(fun), do: fun.(data)
  def handle({fun, stream}, data), do: fun.(data, stream)
  def handle({module, function, args}, data), do: apply(module, function, [data | args])

  def handle({:log, level, prefix, transform}, line),
    do: Logger.log(level, [prefix, transform.(line)])
end
