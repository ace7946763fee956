# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Failure do
  @moduledoc """
  The ways in which a function of the user can fail.
  """

  import ExUnit.Assertions

  @type t :: :raise | :throw | :exit | :exit_kill | :killed | :never_returns

  @doc "The ways to fail."
  @spec all() :: [t()]
  def all, do: [:raise, :throw, :exit, :exit_kill, :killed, :never_returns]

  @doc """
  Tells `test` that the function was called, waits for `go/1`, so that the test can prepare for the failure,
  and fails.
  """
  @spec fail(t() | String.t(), pid() | atom()) :: no_return()
  def fail(failure, test) do
    send(test, {:called, self()})

    receive do
      :go -> fail(to_string(failure))
    end
  end

  defp fail("raise"), do: raise("no")
  defp fail("throw"), do: throw(:no)
  defp fail("exit"), do: exit(:no)
  defp fail("exit_kill"), do: exit(:kill)
  defp fail("killed"), do: Process.exit(self(), :kill)
  defp fail("never_returns"), do: receive(do: (:never -> :ok))

  @doc "Waits until `fail/2` is called, and returns the process that calls it."
  @spec await_call() :: pid()
  def await_call do
    assert_receive {:called, caller}
    caller
  end

  @doc "Lets the function fail."
  @spec go(pid()) :: :go
  def go(caller), do: send(caller, :go)

  @doc "Returns whether `reason` is the exit reason of a process with this failure."
  @spec reason?(t(), term()) :: boolean()
  def reason?(:raise, reason), do: match?({%RuntimeError{message: "no"}, [_ | _]}, reason)
  def reason?(:throw, reason), do: match?({{:nocatch, :no}, [_ | _]}, reason)
  def reason?(:exit, reason), do: reason == :no
  def reason?(:exit_kill, reason), do: reason == :kill
  def reason?(:killed, reason), do: reason == :killed
  # Its supervisor shuts it down or kills it.
  def reason?(:never_returns, reason), do: reason in [:killed, :shutdown]
end
