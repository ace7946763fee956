# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Readiness do
  @moduledoc false

  # Whether the program of a daemon is ready, and who waits for that: the options :ready, :ready_timeout and
  # `start: :when_ready`.

  alias MuonTrap.{Caller, Error, Native, Options}
  alias MuonTrap.Daemon.Probe

  @enforce_keys [:condition, :probe, :timeout]
  defstruct [
    :condition,
    :probe,
    :timeout,
    :prober,
    :timer,
    :starter,
    :error,
    ready?: false,
    callers: []
  ]

  @typedoc """
  `starter`: the process that waits in `start_link/3`, for messages with the reference. `error`: why the program did not
  become ready.
  """
  @type t :: %__MODULE__{
          condition: term(),
          probe: Probe.condition() | nil,
          timeout: timeout(),
          prober: pid() | nil,
          timer: reference() | nil,
          starter: {pid(), reference()} | nil,
          error: Error.t() | nil,
          ready?: boolean(),
          callers: [Caller.t()]
        }

  @doc "Before the program is started."
  @spec new(Options.t(), starter :: {pid(), reference()}) :: t()
  def new(options, starter) do
    %__MODULE__{
      condition: options.ready,
      probe: Probe.condition(options),
      timeout: options.ready_timeout,
      starter: if(options.start == :when_ready, do: starter)
    }
  end

  @doc "The program has been started. The calling process gets `{:timeout, timer, :health}` if that takes too long."
  @spec started(t()) :: t()
  def started(%{condition: nil} = readiness), do: readiness

  def started(readiness) do
    prober = if readiness.probe, do: Probe.start_link(readiness.probe)
    %{readiness | prober: prober, timer: timer(readiness.timeout)}
  end

  defp timer(:infinity), do: nil
  defp timer(timeout), do: :erlang.start_timer(timeout, self(), :health)

  @doc "Whether lines of the output may tell that the program is ready."
  @spec wants_lines?(t()) :: boolean()
  def wants_lines?(%{ready?: false, condition: {:line, _test}}), do: true
  def wants_lines?(_readiness), do: false

  @doc "Whether a line tells that the program is ready. Calls a function of the user until one does."
  @spec lines?(t(), [binary()]) :: boolean()
  def lines?(%{ready?: false, condition: {:line, test}}, lines),
    do: Enum.any?(lines, &matches?(test, &1))

  def lines?(_readiness, _lines), do: false

  defp matches?(%Regex{} = regex, line) do
    Regex.match?(regex, line)
  rescue
    # Bytes that are not UTF-8, which a regex with the modifier u does not accept.
    ArgumentError -> false
  end

  defp matches?(fun, line), do: !!fun.(line)

  @doc "Lets a caller wait, and replies at once if the program is ready."
  @spec await(t(), Caller.t()) :: t()
  def await(%{ready?: true} = readiness, caller) do
    Caller.reply(caller, :ok)
    readiness
  end

  def await(readiness, caller), do: %{readiness | callers: [caller | readiness.callers]}

  @doc "The time of a caller is over."
  @spec expired(t(), reference()) :: t()
  def expired(readiness, timer) do
    {expired, callers} = Enum.split_with(readiness.callers, &match?({_from, ^timer}, &1))
    Enum.each(expired, &Caller.reply(&1, {:error, :timeout}))
    %{readiness | callers: callers}
  end

  @doc "The program is ready."
  @spec ready(t()) :: t()
  def ready(readiness) do
    tell_starter(readiness, :ready)
    reply(%{stop(readiness) | ready?: true, starter: nil}, :ok)
  end

  @doc "The program has ended."
  @spec ended(t(), Error.t()) :: t()
  def ended(readiness, error) do
    error = if readiness.ready?, do: nil, else: error
    %{stop(readiness) | ready?: false, error: error}
  end

  @doc "Looks no longer whether the program becomes ready."
  @spec stop(t()) :: t()
  def stop(readiness) do
    _left =
      if readiness.timer, do: Process.cancel_timer(readiness.timer, async: true, info: false)

    _killed = if readiness.prober, do: kill(readiness.prober)
    %{readiness | timer: nil, prober: nil}
  end

  defp kill(prober) do
    Process.unlink(prober)
    Process.exit(prober, :kill)

    receive do
      {:EXIT, ^prober, _reason} -> true
    after
      0 -> true
    end
  end

  @doc """
  Tells those who wait that the daemon stops. The process that waits in `start_link/3` gets an error, and no exit signal.
  """
  @spec failed(t(), reason :: term()) :: t()
  def failed(readiness, reason) do
    error = {:error, readiness.error || reason}
    with {starter, _ref} <- readiness.starter, do: Process.unlink(starter)
    tell_starter(readiness, error)
    reply(stop(readiness), error)
  end

  defp tell_starter(%{starter: nil}, _message), do: nil
  defp tell_starter(%{starter: {starter, ref}}, message), do: send(starter, {ref, message})

  defp reply(readiness, answer) do
    Enum.each(readiness.callers, &Caller.reply(&1, answer))
    %{readiness | callers: []}
  end

  @doc "The error of a program that was not ready in time."
  @spec timeout_error(Options.t()) :: Error.t()
  def timeout_error(options) do
    error(options, "was not ready after #{options.ready_timeout} ms: #{missing(options.ready)}")
  end

  @doc "The error of a program that has ended before it was ready."
  @spec ended_error(Options.t(), exit_status :: 0..255) :: Error.t()
  def ended_error(options, status),
    do: error(options, "exited with status #{status} before it was ready")

  defp error(options, text),
    do: %Error{step: :ready, message: Native.printable(options.command) <> " " <> text}

  defp missing({:line, _test}), do: "no line of its output has matched"
  defp missing({:tcp, port}), do: "nothing accepts connections on port #{port} of this host"
  defp missing({:unix, path}), do: "nothing accepts connections on #{Native.printable(path)}"
  defp missing({:file, path}), do: "there is no file #{Native.printable(path)}"
  defp missing(:notify), do: "it has not sent READY=1"
end
