# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Signals do
  @moduledoc false

  # The helper knows the numbers, which differ between systems. Source: signal(7).
  @names ~w(HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT
            STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS)

  @doc """
  A signal as the helper takes it: a name such as `"SIGTERM"`, or a number. Takes an atom or a
  string, with or without `SIG`, in any case, or a number from 1 to 64.
  """
  @spec parse(term()) :: {:ok, String.t() | 1..64} | :error
  def parse(number) when number in 1..64, do: {:ok, number}
  def parse(name) when is_atom(name), do: name |> Atom.to_string() |> parse()

  def parse(name) when is_binary(name) do
    name = name |> String.upcase(:ascii) |> String.replace_prefix("SIG", "")
    if name in @names, do: {:ok, "SIG" <> name}, else: :error
  end

  def parse(_other), do: :error
end
