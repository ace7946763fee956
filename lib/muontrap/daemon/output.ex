# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Output do
  @moduledoc false

  # Chooses what happens to the output of a daemon.

  alias MuonTrap.{Native, Options}

  require Logger

  @type stream :: :stdout | :stderr

  @typedoc "Called with each chunk, and with each line. `nil`: chunks or lines of the stream are not used."
  @type handlers :: %{chunk: (binary() -> term()) | nil, line: (binary() -> term()) | nil}

  @doc """
  The functions that the options describe, for each stream. They log with the metadata of the calling
  process.
  """
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
    transform = options.log_transform || (&Native.printable/1)

    fn line -> Logger.log(level, [prefix, transform.(line)]) end
  end

  defp callback(nil, _stream), do: nil
  defp callback(fun, _stream) when is_function(fun, 1), do: fun
  defp callback(fun, stream) when is_function(fun, 2), do: &fun.(&1, stream)
  defp callback({module, function}, _stream), do: &apply(module, function, [&1])
  defp callback({module, function, args}, _stream), do: &apply(module, function, [&1 | args])
end
