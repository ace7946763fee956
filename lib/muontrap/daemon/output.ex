# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Output do
  @moduledoc false

  alias MuonTrap.{Native, Options}

  require Logger

  # Chooses what happens to the lines of a daemon's output.

  @typedoc "Called with each line. `nil`: the lines are not used."
  @type log :: (binary() -> term()) | nil

  @doc """
  The function that the options describe. It logs with the metadata of the calling process.
  """
  @spec log(Options.t()) :: log()
  def log(%{logger_fun: fun}) when is_function(fun, 1), do: fun
  def log(%{logger_fun: {module, function}}), do: &apply(module, function, [&1])
  def log(%{logger_fun: {module, function, args}}), do: &apply(module, function, [&1 | args])
  def log(%{log_output: nil}), do: nil

  def log(%{log_output: level} = options) do
    prefix = Native.printable(options.log_prefix || options.command <> ": ")
    transform = options.log_transform || (&Native.printable/1)

    fn line -> Logger.log(level, [prefix, transform.(line)]) end
  end
end
