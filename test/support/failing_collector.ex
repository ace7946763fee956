# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.FailingCollector do
  @moduledoc """
  A collectable that fails on the command `on`, or on the line `fail`. On the line `wait PID`, it waits for
  the end of a process. It sends other lines, and `:halt`, to `test`.
  """

  @enforce_keys [:test, :failure]
  defstruct [:test, :failure, :on]

  defimpl Collectable do
    alias MuonTrap.Test.{Failure, OS}

    def into(%{on: :into} = collector), do: fail(collector)
    def into(collector), do: {collector, &collect/2}

    defp collect(collector, {:cont, line}) do
      case String.split(line) do
        ["fail"] -> fail(collector)
        ["wait", program] -> program |> String.to_integer() |> OS.await_gone()
        _other -> send(collector.test, {:line, line})
      end

      collector
    end

    defp collect(%{on: on} = collector, on), do: fail(collector)
    defp collect(_collector, :done), do: :done
    defp collect(collector, :halt), do: send(collector.test, :halted)

    defp fail(collector), do: Failure.fail(collector.failure, collector.test)
  end
end
