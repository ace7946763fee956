# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.State do
  @moduledoc false

  alias MuonTrap.Daemon.Output
  alias MuonTrap.{Cgroups, LineBuffer, Options, Port}

  @enforce_keys [:options, :lines, :log]
  defstruct [
    :options,
    :lines,
    :log,
    :session,
    :waiter,
    :started_at,
    stdout_byte_count: 0,
    stderr_byte_count: 0,
    line_count: 0
  ]

  @type t :: %__MODULE__{
          options: Options.t(),
          lines: LineBuffer.t(),
          log: Output.log(),
          session: Port.t() | nil,
          waiter: pid() | nil,
          started_at: integer() | nil,
          stdout_byte_count: non_neg_integer(),
          stderr_byte_count: non_neg_integer(),
          line_count: non_neg_integer()
        }

  @doc "The state of a daemon whose program is yet to be started."
  @spec new(Options.t()) :: t()
  def new(options) do
    %__MODULE__{
      options: options,
      lines: LineBuffer.new(options.log_max_line_bytes),
      log: Output.log(options)
    }
  end

  @doc "The program was started."
  @spec started(t(), Port.t()) :: t()
  def started(state, session) do
    # The environment has served its purpose, and may hold secrets that should not show in logs.
    options = %{state.options | env: []}
    %{state | options: options, session: session, started_at: now()}
  end

  @doc "The cgroup of the program; `nil` without one."
  @spec group(t()) :: Cgroups.t() | nil
  def group(%{session: nil}), do: nil
  def group(state), do: state.session.group

  @doc "Some output was handled."
  @spec count(t(), :stdout | :stderr, non_neg_integer()) :: t()
  def count(state, :stdout, bytes),
    do: %{state | stdout_byte_count: state.stdout_byte_count + bytes}

  def count(state, :stderr, bytes),
    do: %{state | stderr_byte_count: state.stderr_byte_count + bytes}

  @doc "What `MuonTrap.Daemon.statistics/1` returns."
  @spec statistics(t()) :: MuonTrap.Daemon.statistics()
  def statistics(state) do
    %{
      output_byte_count: state.stdout_byte_count + state.stderr_byte_count,
      stdout_byte_count: state.stdout_byte_count,
      stderr_byte_count: state.stderr_byte_count,
      line_count: state.line_count,
      uptime_ms: if(state.started_at, do: now() - state.started_at, else: 0),
      cgroup: %{}
    }
  end

  defp now, do: System.monotonic_time(:millisecond)
end
