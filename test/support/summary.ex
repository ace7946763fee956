# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Summary do
  @moduledoc """
  Prints why tests were skipped, and the line whose numbers `scripts/test` adds up, after ExUnit's report.
  """
  use GenServer

  @doc "The options for `ExUnit.start/1` that turn it on."
  @spec options() :: keyword()
  def options do
    ExUnit.after_suite(&print/1)
    [formatters: [ExUnit.CLIFormatter, __MODULE__]]
  end

  # ExUnit sends each test to a formatter, but the sums only to after_suite/1, which runs when all formatters
  # have finished.

  @impl true
  def init(_options) do
    :persistent_term.put(__MODULE__, %{})
    {:ok, %{}}
  end

  @impl true
  def handle_cast({:test_finished, %{state: {:skipped, reason}}}, reasons),
    do: {:noreply, Map.update(reasons, reason, 1, &(&1 + 1))}

  def handle_cast({:suite_finished, _times}, reasons) do
    :persistent_term.put(__MODULE__, reasons)
    {:noreply, reasons}
  end

  def handle_cast(_event, reasons), do: {:noreply, reasons}

  defp print(%{total: total, failures: failed, skipped: skipped, excluded: excluded}) do
    for {reason, count} <- Enum.sort(:persistent_term.get(__MODULE__, %{})),
        do: IO.puts("  skipped #{count}: #{reason}")

    IO.puts("#{total - failed - skipped - excluded} passed, #{failed} failed, #{skipped} skipped")
  end
end
