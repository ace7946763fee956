# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Signals do
  @moduledoc false

  # In the order of their numbers on x86, ARM and most others, from 1. Those of Alpha, MIPS,
  # PARISC and SPARC differ, of which the helper knows. Source: signal(7).
  @names ~w(HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT
            STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS)

  @doc "What `parse/1` takes, in words."
  @spec expected() :: String.t()
  def expected, do: "a signal: a number from 1 to 64, or a name such as :sigterm or \"SIGTERM\""

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

  @doc "The name of a signal such as `\"SIGTERM\"`, or `\"signal 34\"` for one without a name."
  @spec name(1..64) :: String.t()
  def name(number) do
    architecture = :erlang.system_info(:system_architecture) |> List.to_string()

    if number <= length(@names) and
         architecture =~ ~r/^(aarch64|arm|i.86|powerpc|ppc|riscv|s390|x86)/,
       do: "SIG" <> Enum.at(@names, number - 1),
       else: "signal #{number}"
  end
end
