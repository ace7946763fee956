# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.Health do
  @moduledoc false

  # Whether the program of a daemon is ready, and alive: what the daemon does about the conditions in
  # Daemon.Readiness and Daemon.Watchdog. A program that fails one of them is stopped, and the daemon stops with that
  # error when it has ended.

  alias MuonTrap.Daemon.{Events, Notification, Readiness, State, Watchdog}
  alias MuonTrap.{Caller, Error, Session}

  @doc "The program has been started."
  @spec started(State.t()) :: State.t()
  def started(state) do
    state = %{state | readiness: Readiness.started(state.readiness)}
    if state.options.ready, do: state, else: ready(state)
  end

  @doc "The program is ready, unless it is being stopped because it was not."
  @spec ready(State.t()) :: State.t()
  def ready(%{readiness: %{ready?: false}, failure: nil} = state) do
    readiness = Readiness.ready(state.readiness)
    %{state | readiness: readiness, watchdog: Watchdog.start(state.watchdog)}
  end

  def ready(state), do: state

  @doc "The prober has found that the program is ready, and has ended."
  @spec probed(State.t()) :: State.t()
  def probed(state), do: ready(%{state | readiness: %{state.readiness | prober: nil}})

  @doc "The program has written output."
  @spec alive(State.t()) :: State.t()
  def alive(state), do: %{state | watchdog: Watchdog.alive(state.watchdog)}

  @doc "The program has sent a notification."
  @spec notified(State.t(), datagram :: binary()) :: State.t()
  def notified(state, datagram),
    do: datagram |> Notification.parse() |> Enum.reduce(state, &take/2)

  defp take(:ready, state), do: ready(state)
  defp take(:alive, state), do: alive(state)
  defp take(:trigger, %{watchdog: nil} = state), do: state
  defp take(:trigger, state), do: fail(state, Watchdog.triggered_error(state.options))
  defp take(:stopping, state), do: put_in(state.notified.stopping, true)
  defp take({key, value}, state), do: put_in(state.notified[key], value)

  @doc "A timer has expired. Old ones mean nothing."
  @spec expired(State.t(), reference()) :: State.t()
  def expired(%{readiness: %{timer: timer}} = state, timer),
    do: fail(state, Readiness.timeout_error(state.options))

  def expired(%{watchdog: %{timer: timer}} = state, timer) do
    case Watchdog.expired(state.watchdog) do
      :silent -> fail(state, Watchdog.error(state.options))
      watchdog -> %{state | watchdog: watchdog}
    end
  end

  def expired(state, timer), do: %{state | readiness: Readiness.expired(state.readiness, timer)}

  defp fail(%{session: session, failure: nil} = state, error) when session != nil do
    Events.failed(error)
    Session.send_frame(session, :stop)
    %{state | failure: error, readiness: Readiness.stop(state.readiness)}
  end

  defp fail(state, _error), do: state

  @doc "Lets a caller wait until the program is ready."
  @spec await_ready(State.t(), Caller.t()) :: State.t()
  def await_ready(state, caller),
    do: %{state | readiness: Readiness.await(state.readiness, caller)}

  @doc "The program has ended."
  @spec ended(State.t(), MuonTrap.Session.Frame.report() | Error.t()) :: State.t()
  def ended(%{options: options} = state, how) do
    error =
      cond do
        is_struct(how, Error) -> how
        state.failure != nil -> state.failure
        true -> Readiness.ended_error(options, how.exit_status)
      end

    %{state | readiness: Readiness.ended(state.readiness, error), watchdog: nil}
  end

  @doc "The result of `MuonTrap.Daemon.status/1`."
  @spec status(State.t()) :: map()
  def status(state), do: Map.put(state.notified, :ready, state.readiness.ready?)
end
