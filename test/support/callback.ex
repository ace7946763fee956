# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Callback do
  @moduledoc """
  A collectable that calls a function with each chunk. The result is `:done`. If it is halted, it sends
  `:halted` to `owner`.
  """

  @enforce_keys [:fun]
  defstruct [:fun, :owner]

  defimpl Collectable do
    def into(%{fun: fun, owner: owner}) do
      collect = fn
        acc, {:cont, chunk} ->
          fun.(chunk)
          acc

        _acc, :done ->
          :done

        _acc, :halt ->
          if owner, do: send(owner, :halted)
          :ok
      end

      {nil, collect}
    end
  end
end
