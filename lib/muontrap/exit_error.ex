# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ExitError do
  @moduledoc """
  A program did not end as it should: `MuonTrap.stream!/3` raises this.

  The fields:

    * `:command`, `:args` - the program and its arguments, as they were given
    * `:exit_status` - the exit code; 128 + n if signal n killed the program; or the limit at which it was
      stopped, see `t:MuonTrap.Result.exit_status/0`
    * `:signal` - the number of the signal that killed the program, or `nil`
    * `:stderr` - the last 4,096 bytes, or less, that it wrote to stderr, if stderr was captured apart from
      stdout; otherwise `nil`
  """

  alias MuonTrap.{Native, Result}
  alias MuonTrap.Options.Signals

  @type t :: %__MODULE__{
          command: binary(),
          args: [binary()],
          exit_status: Result.exit_status(),
          signal: 1..64 | nil,
          stderr: binary() | nil
        }

  @enforce_keys [:command, :args, :exit_status]
  defexception [:command, :args, :exit_status, :signal, :stderr]

  @impl Exception
  @spec message(t()) :: String.t()
  def message(%__MODULE__{} = error) do
    Native.printable(error.command) <> how(error) <> stderr(error.stderr)
  end

  defp how(%{exit_status: :max_output}), do: " was stopped because of its :max_output_bytes"

  defp how(%{exit_status: limit}) when is_atom(limit),
    do: " was stopped because of its #{inspect(limit)}"

  defp how(%{signal: nil} = error), do: " exited with status #{error.exit_status}"
  defp how(error), do: " exited with status #{error.exit_status} (#{Signals.name(error.signal)})"

  defp stderr(nil), do: ""

  defp stderr(text) do
    case text |> Native.printable() |> String.trim() do
      "" -> ""
      text -> ". The end of its stderr:\n\n" <> text
    end
  end
end
