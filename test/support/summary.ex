# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Summary do
  @moduledoc """
  Prints, after ExUnit's report, why tests were skipped, which tests failed, and the line whose numbers
  `scripts/test` adds up.
  """
  use GenServer

  # The number of lines to repeat of a failure.
  @most_lines 18
  @width 100

  @doc "The options for `ExUnit.start/1` that turn it on."
  @spec options() :: keyword()
  def options do
    ExUnit.after_suite(&print/1)
    [formatters: [ExUnit.CLIFormatter, __MODULE__]]
  end

  # ExUnit sends each test to a formatter, but the sums only to after_suite/1, which runs when all formatters
  # have finished.

  @impl true
  def init(options) do
    {:ok, %{seed: options[:seed], reasons: %{}, failures: []}}
  end

  @impl true
  def handle_cast({:test_finished, %{state: {:skipped, reason}}}, state),
    do: {:noreply, update_in(state.reasons, &Map.update(&1, reason, 1, fn n -> n + 1 end))}

  def handle_cast({:test_finished, %{state: {:failed, failures}} = test}, state),
    do: {:noreply, add(state, &ExUnit.Formatter.format_test_failure(test, failures, &1, &2, &3))}

  def handle_cast({:module_finished, %{state: {:failed, failures}} = module}, state) do
    format = &ExUnit.Formatter.format_test_all_failure(module, failures, &1, &2, &3)
    {:noreply, add(state, format)}
  end

  def handle_cast({:suite_finished, _times}, state) do
    :persistent_term.put(__MODULE__, state)
    {:noreply, state}
  end

  def handle_cast(_event, state), do: {:noreply, state}

  defp add(state, format) do
    number = length(state.failures) + 1
    text = format.(number, @width, fn _key, value -> value end)
    lines = text |> String.split("\n") |> Enum.reject(&(String.trim(&1) == ""))
    %{state | failures: [Enum.take(lines, @most_lines) | state.failures]}
  end

  defp print(%{total: total, failures: failed, skipped: skipped, excluded: excluded}) do
    none = %{seed: nil, reasons: %{}, failures: []}
    %{seed: seed, reasons: reasons, failures: failures} = :persistent_term.get(__MODULE__, none)
    for {reason, count} <- Enum.sort(reasons), do: IO.puts("  skipped #{count}: #{reason}")

    if failures != [] do
      IO.puts("\n== Failures\nRandomized with seed #{seed}")
      for lines <- Enum.reverse(failures), do: IO.puts(["\n", Enum.intersperse(lines, "\n")])
    end

    IO.puts("#{total - failed - skipped - excluded} passed, #{failed} failed, #{skipped} skipped")
  end
end
