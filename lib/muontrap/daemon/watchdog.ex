# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Watchdog do
  @moduledoc false

  # Finds out that a program has given no sign of life for a time: the option :watchdog. Its timer is not set anew for
  # each sign, of which there may be many.
  #
  # After a pause of the BEAM or of the machine, the timer expires before the signs that have come meanwhile are
  # received. So there is a second timer before a program counts as silent.

  alias MuonTrap.{Error, Info, Native, Options}

  @second_timer_ms 100

  @enforce_keys [:ms]
  defstruct [:ms, :timer, :last, second?: false]

  @typedoc "`last`: when the last sign of life came. `second?`: whether the timer is the second one."
  @type t :: %__MODULE__{
          ms: pos_integer(),
          timer: reference() | nil,
          last: integer() | nil,
          second?: boolean()
        }

  @doc "A watchdog that is not started; `nil` without the option."
  @spec new(Options.t()) :: t() | nil
  def new(%{watchdog: nil}), do: nil
  def new(%{watchdog: ms}), do: %__MODULE__{ms: ms}

  @doc "Starts it. The calling process gets `{:timeout, timer, :health}` from time to time."
  @spec start(t() | nil) :: t() | nil
  def start(nil), do: nil
  def start(watchdog), do: set(%{watchdog | last: Info.now()}, watchdog.ms)

  defp set(watchdog, ms, second? \\ false) do
    %{watchdog | timer: :erlang.start_timer(ms, self(), :health), second?: second?}
  end

  @doc "The program has given a sign of life."
  @spec alive(t() | nil) :: t() | nil
  def alive(nil), do: nil
  def alive(watchdog), do: %{watchdog | last: Info.now()}

  @doc "The timer has expired. `:silent` if there was no sign of life."
  @spec expired(t()) :: t() | :silent
  def expired(watchdog) do
    left = watchdog.last + watchdog.ms - Info.now()

    cond do
      left > 0 -> set(watchdog, left)
      watchdog.second? -> :silent
      true -> set(watchdog, @second_timer_ms, true)
    end
  end

  @doc "The error of a program that has given no sign of life."
  @spec error(Options.t()) :: Error.t()
  def error(options) do
    sign = if options.ready == :notify, do: "no WATCHDOG=1 and no output", else: "no output"
    error(options, "there was #{sign} for #{options.watchdog} ms")
  end

  @doc "The error of a program that has asked for it."
  @spec triggered_error(Options.t()) :: Error.t()
  def triggered_error(options), do: error(options, "it has sent WATCHDOG=trigger")

  defp error(options, text),
    do: %Error{
      step: :watchdog,
      message: "#{Native.printable(options.command)} was stopped by its watchdog: #{text}"
    }
end
