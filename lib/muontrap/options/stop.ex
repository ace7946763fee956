# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Stop do
  @moduledoc false

  # How a program is stopped: :stop, or :stop_signal and :delay_to_sigkill, its simple form.

  alias MuonTrap.Options
  alias MuonTrap.Options.{Signals, Type, Typespec}

  @behaviour MuonTrap.Options.Type

  @milliseconds {:integer, 0, 0xFFFFFFFF, "a number of milliseconds"}
  @step {:tuple, [{:custom, Signals, :signal}, @milliseconds], "{signal, milliseconds}"}
  @example "a list of steps such as [sigint: 5_000, sigterm: 1_000]"

  @doc "The type of the option `:stop`."
  @spec type() :: Type.t()
  def type, do: {:list, {:custom, __MODULE__, :step}, @example}

  @impl Options.Type
  def expected(:step), do: Type.expected(@step)

  @impl Options.Type
  def typespec(:step, stage), do: Typespec.typespec(@step, stage)

  @impl Options.Type
  def parse({signal, milliseconds}, :step) do
    with {:ok, signal} <-
           named(Signals.parse(signal, :signal), signal, Signals.expected(:signal)),
         {:ok, milliseconds} <- Type.parse(@milliseconds, milliseconds),
         do: {:ok, {signal, milliseconds}}
  end

  def parse(_other, :step), do: :error

  defp named(:error, value, expected),
    do: {:error, "expected #{expected}, got: #{inspect(value)}"}

  defp named(parsed, _value, _expected), do: parsed

  @doc "Returns the options. Raises `ArgumentError` if both forms were given."
  @spec check(Options.t(), keyword()) :: Options.t()
  def check(%{stop: nil} = options, _opts), do: options

  def check(options, opts) do
    case Enum.find([:stop_signal, :delay_to_sigkill], &Keyword.has_key?(opts, &1)) do
      nil ->
        options

      name ->
        raise ArgumentError,
              "cannot use :stop and #{inspect(name)} (put it into the list: #{hint(name)})"
    end
  end

  defp hint(:stop_signal), do: "stop: [sigint: 500]"
  defp hint(:delay_to_sigkill), do: "stop: [sigterm: 500]"

  @doc "The steps before SIGKILL, for START. `nil`: those of `:stop_signal` and `:delay_to_sigkill`."
  @spec steps(Options.t()) :: [String.t()] | nil
  def steps(%{stop: nil}), do: nil
  # START has one step at least.
  def steps(%{stop: []}), do: ["SIGKILL 0"]
  def steps(%{stop: steps}), do: for({signal, ms} <- steps, do: "#{signal} #{ms}")

  @doc "Milliseconds from the first signal to SIGKILL, of options that may not be checked yet."
  @spec milliseconds(Options.t() | keyword()) :: non_neg_integer()
  def milliseconds(%{stop: nil, delay_to_sigkill: delay}), do: delay
  def milliseconds(%{stop: steps}), do: sum(steps)

  def milliseconds(opts) do
    case Type.parse(type(), opts[:stop]) do
      {:ok, steps} -> sum(steps)
      {:error, _reason} -> delay(opts[:delay_to_sigkill])
    end
  end

  defp sum(steps), do: steps |> Enum.map(&elem(&1, 1)) |> Enum.sum()

  defp delay(delay) when is_integer(delay) and delay >= 0, do: delay
  defp delay(_invalid), do: 500
end
