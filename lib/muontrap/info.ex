# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Info do
  @moduledoc false

  # What `info/1` of a handle and of a daemon returns.

  alias MuonTrap.{Input, Options, Result, Session}

  @typedoc "`report` is how the program ended, and `started_at` is in milliseconds of monotonic time."
  @type source :: %{
          options: Options.t(),
          os_pids: {session :: pos_integer(), program :: pos_integer()} | nil,
          started_at: integer() | nil,
          report: Session.Frame.report() | Result.t() | nil,
          input: Input.Queue.t(),
          stdout_bytes: non_neg_integer(),
          stderr_bytes: non_neg_integer()
        }

  @doc "The information."
  @spec new(source()) :: MuonTrap.Process.info()
  def new(source) do
    {session, program} = source.os_pids || {nil, nil}

    %{
      command: source.options.command,
      args: source.options.args,
      os_pid: session,
      program_os_pid: program,
      cgroup_path: source.options.cgroup_path,
      input_bytes: source.input.written,
      stdout_bytes: source.stdout_bytes,
      stderr_bytes: source.stderr_bytes,
      uptime_ms: uptime_ms(source),
      exit_status: source.report && source.report.exit_status,
      signal: source.report && source.report.signal
    }
  end

  defp uptime_ms(%{report: nil, started_at: nil}), do: 0
  defp uptime_ms(%{report: nil} = source), do: now() - source.started_at
  defp uptime_ms(%{report: report}), do: div(report.wall_time_us, 1000)

  @doc "The present, for `started_at`."
  @spec now() :: integer()
  def now, do: System.monotonic_time(:millisecond)
end
