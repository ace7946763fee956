# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Signals do
  @moduledoc false

  @behaviour MuonTrap.Options.Type

  # In the order of their numbers on x86, ARM and most others, from 1. Those of Alpha, MIPS,
  # PARISC and SPARC differ; the helper knows them. Source: signal(7).
  @names ~w(HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT
            STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS)

  # On other systems, too.
  @same_everywhere ~w(HUP INT QUIT ILL TRAP ABRT FPE KILL SEGV PIPE ALRM TERM)

  @impl MuonTrap.Options.Type
  def expected(:signal),
    do: "a signal: a number from 1 to 64, or a name such as :sigterm or \"SIGTERM\""

  @impl MuonTrap.Options.Type
  def typespec(:signal, :given), do: quote(do: 1..64 | atom() | String.t())
  def typespec(:signal, :parsed), do: quote(do: 1..64 | String.t())

  # Accepts a name as an atom or a string, with or without SIG, in any case. Returns a number or
  # a name such as "SIGTERM".
  @impl MuonTrap.Options.Type
  def parse(number, :signal) when number in 1..64, do: {:ok, number}
  def parse(name, :signal) when is_atom(name), do: name |> Atom.to_string() |> parse(:signal)

  def parse(name, :signal) when is_binary(name) do
    name = name |> String.upcase(:ascii) |> String.replace_prefix("SIG", "")
    if name in @names, do: {:ok, "SIG" <> name}, else: :error
  end

  def parse(_other, :signal), do: :error

  @doc "The number of a signal. Raises `ArgumentError` if it is none."
  @spec number!(term()) :: 1..64
  def number!(signal) do
    case parse(signal, :signal) do
      {:ok, number} when is_integer(number) -> number
      {:ok, "SIG" <> name} -> number(name)
      :error -> raise ArgumentError, "expected #{expected(:signal)}, got: #{inspect(signal)}"
    end
  end

  defp number(name) do
    if known?(name),
      do: Enum.find_index(@names, &(&1 == name)) + 1,
      else: raise(ArgumentError, "the number of SIG#{name} is not known here: give the number")
  end

  @doc "The name of a signal such as `\"SIGTERM\"`, or `\"signal 34\"` for one without a name."
  @spec name(1..64) :: String.t()
  def name(number) do
    name = Enum.at(@names, number - 1)
    if name != nil and known?(name), do: "SIG" <> name, else: "signal #{number}"
  end

  defp known?(name) when name in @same_everywhere, do: true

  defp known?(_name) do
    architecture = :erlang.system_info(:system_architecture) |> List.to_string()
    architecture =~ ~r/^(aarch64|arm|i.86|powerpc|ppc|riscv|s390|x86).*linux/
  end
end
