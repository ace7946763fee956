# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OsProcess do
  @moduledoc false

  # Waiting for processes that are not our children: there is no event to wait for, so this polls
  # /proc/<pid>/stat (proc_pid_stat(5)). It only happens after something was killed that should not
  # have been, never on the ordinary way out. Where there is no /proc, nothing is known and nothing
  # is waited for.

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
  Kills what is left of the process group of a program that was its leader and is gone: what it
  started and did not put into a group of its own. Waits until all of that is gone, but no longer
  than `timeout` milliseconds.
  """
  @spec kill_group(pos_integer() | nil, non_neg_integer()) :: :ok
  def kill_group(nil, _timeout), do: :ok

  def kill_group(leader, timeout) do
    # In a process of its own, since System.cmd/3 leaves a message to one that traps exits.
    {pid, ref} =
      spawn_monitor(fn ->
        System.cmd("sh", ["-c", "kill -s KILL -- -#{leader}"], stderr_to_stdout: true)
      end)

    receive do
      {:DOWN, ^ref, :process, ^pid, _reason} -> :ok
    end

    # Death takes a moment. No more of them come: a process with SIGKILL pending cannot fork.
    _all_gone? = leader |> group() |> await_gone(timeout)
    :ok
  end

  defp group(leader) do
    leader = Integer.to_string(leader)

    with {:ok, entries} <- File.ls("/proc") do
      for entry <- entries,
          {pid, ""} <- [Integer.parse(entry)],
          match?([_state, _parent, ^leader | _rest], stat(pid)),
          do: pid
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
          pause(pause)
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

  # From field 3 on: state, parent, process group and so on; none for zombies. The name in the second
  # field may hold spaces and parentheses, so count from the last ")".
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

  defp pause(milliseconds) do
    receive do
    after
      milliseconds -> :ok
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
