# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OsProcess do
  @moduledoc false

  # Waiting for processes that are not our children: there is no event to wait for, so this polls
  # /proc/<pid>/stat (proc_pid_stat(5)). It only happens after something was killed that should
  # not have been, never on the ordinary way out. Where there is no /proc, nothing is known and
  # nothing is waited for.

  @first_pause_ms 1
  @longest_pause_ms 20

  @doc """
  Waits until each of the processes that have these pids now is gone, or until `timeout`
  milliseconds have passed. Zombies count as gone: they execute nothing and hold nothing. `nil`
  stands for no process. Says whether all are gone.
  """
  @spec await_gone([pos_integer() | nil], non_neg_integer()) :: boolean()
  def await_gone(pids, timeout) do
    # With its start time, a process cannot be mixed up with a later one of the same pid.
    ids = for pid <- pids, pid != nil, do: {pid, start_time(pid)}
    await_gone(ids, now() + timeout, @first_pause_ms)
  end

  @doc """
  Kills what a helper that is gone has left behind: what is in its session, which ports give to what they
  start, or in the process group that its program was the leader of, and what these have started. Does so until
  nothing is left, but no longer than `timeout` milliseconds. Says whether all is gone.

  The pid of the program is `nil` when nobody heard of it before the helper was gone.
  """
  @spec kill_left(pos_integer() | nil, pos_integer() | nil, non_neg_integer()) :: boolean()
  def kill_left(helper, program, timeout), do: kill_until_none(helper, program, now() + timeout)

  # Once is not enough: who forks while this looks may have a child that was not seen.
  defp kill_until_none(helper, program, deadline) do
    case left(helper, program) do
      [] ->
        true

      pids ->
        signal_kill(pids)
        await_gone(pids, max(deadline - now(), 0)) and kill_until_none(helper, program, deadline)
    end
  end

  defp signal_kill(pids) do
    # In a process of its own, since System.cmd/3 leaves a message to one that traps exits.
    {pid, ref} =
      spawn_monitor(fn ->
        System.cmd("sh", ["-c", "kill -s KILL #{Enum.join(pids, " ")}"], stderr_to_stdout: true)
      end)

    receive do
      {:DOWN, ^ref, :process, ^pid, _reason} -> :ok
    end
  end

  defp left(helper, program) do
    helper = helper && Integer.to_string(helper)
    program = program && Integer.to_string(program)
    processes = processes()

    first =
      for {pid, _parent, group, session} <- processes,
          group == program or session == helper,
          do: pid

    first |> add_descendants(processes) |> Enum.map(&String.to_integer/1)
  end

  # Also those in a session of their own, as long as their ancestors live.
  defp add_descendants(pids, processes) do
    case for({pid, parent, _, _} <- processes, parent in pids, pid not in pids, do: pid) do
      [] -> pids
      children -> add_descendants(children ++ pids, processes)
    end
  end

  defp processes do
    with {:ok, entries} <- File.ls("/proc") do
      for pid <- entries,
          pid =~ ~r/^\d+$/,
          [_state, parent, group, session | _rest] <- [stat(pid)],
          do: {pid, parent, group, session}
    else
      {:error, _no_proc} -> []
    end
  end

  defp await_gone(ids, deadline, pause) do
    case Enum.filter(ids, &running?/1) do
      [] ->
        true

      running ->
        if now() < deadline do
          Process.sleep(pause)
          await_gone(running, deadline, min(pause * 2, @longest_pause_ms))
        else
          false
        end
    end
  end

  defp running?({_pid, nil}), do: false
  defp running?({pid, start_time}), do: start_time(pid) == start_time

  # Field 22, of which stat/1 leaves off the first two.
  defp start_time(pid), do: pid |> stat() |> Enum.at(19)

  # From field 3 on: state, parent, process group and so on; none for zombies. The name in the
  # second field may hold spaces and parentheses, so count from the last ")".
  defp stat(pid) do
    with {:ok, stat} <- read("/proc/#{pid}/stat"),
         [_, fields] <- Regex.run(~r/.*\) (.*)/s, stat),
         [state | _rest] = fields when state not in ["Z", "X"] <- String.split(fields, " ") do
      fields
    else
      _gone -> []
    end
  end

  # Raw, as File.read/1 would go through the file server and be slow when many wait at once.
  defp read(path) do
    with {:ok, file} <- :file.open(path, [:raw, :read, :binary]) do
      result = :file.read(file, 4096)
      :ok = :file.close(file)
      result
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
