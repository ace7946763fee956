# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Checks counts of the helper's work against ceilings. A busy machine does not change counts. CI
# runs this, which needs strace and valgrind:
#
#     MIX_ENV=prod mix run bench/budget.exs
#
# A change that needs more has to raise a ceiling here and say why. One that needs less lowers it.

for file <- ~w(measure report), do: Code.require_file("#{file}.exs", __DIR__)

defmodule Bench.Budget do
  @moduledoc false

  alias MuonTrap.Daemon

  @megabytes 64
  @output "#{@megabytes * 1_048_576}"

  def main do
    helper = MuonTrap.muontrap_path()
    linkage = Bench.Report.linkage(helper)
    folder = Path.join(System.tmp_dir!(), "muontrap-budget-#{System.pid()}")
    File.mkdir_p!(folder)

    session = session_calls(helper, folder)
    session_dirty = dirty()

    # From here on, a helper is executed for each program, which is easier to trace. The session code is
    # the same.
    Application.put_env(:muontrap, :fork_server, false)

    counts = [
      {"system calls of fork server and session for true", :session_syscalls, session},
      {"system calls of a run of true by a helper of its own", :syscalls,
       start_calls(helper, folder)},
      {"the same for a megabyte of output, sleeps included", :syscalls_per_mb,
       output_calls(helper, folder)},
      {"instructions of a run of true by a helper of its own", :instructions,
       instructions(helper, folder)},
      {"size of the helper, bytes", :size, File.stat!(helper).size},
      {"private dirty memory of an idle session, KiB", :session_dirty, session_dirty},
      {"the same of a helper of its own", :dirty, dirty()}
    ]

    File.rm_rf!(folder)
    IO.puts("Helper: #{linkage}")

    over =
      for {name, key, count} <- counts, count > tell(name, count, ceiling(linkage, key)), do: name

    if over != [], do: fail(over)
  end

  # The counts when this was last changed, plus a margin for other kernels, C libraries and compilers.
  #
  # A session reads START and its own list of children, reads the program's start time, and searches
  # PATH. That is 20 calls more than a helper needed that got everything by flags.
  defp ceiling("dynamic, glibc", :syscalls), do: 230
  defp ceiling(_static, :syscalls), do: 195
  defp ceiling(_linkage, :session_syscalls), do: 140

  # There are two frames to a window, so that one is in flight while the other is handled. On a busy
  # machine, their acknowledgements come one by one: 318 to 366 calls were counted.
  defp ceiling(_linkage, :syscalls_per_mb), do: 420

  # HELLO and START take 36,000 of them. That of musl is a sum, not measured.
  defp ceiling("dynamic, glibc", :instructions), do: 390_000
  defp ceiling("static, glibc", :instructions), do: 110_000
  defp ceiling("static, musl", :instructions), do: 75_000

  defp ceiling("dynamic, glibc", :size), do: 1_250_000
  defp ceiling("static, glibc", :size), do: 2_250_000
  defp ceiling("static, musl", :size), do: 1_400_000
  # 36 to 40 where the helper is linked statically, 48 to 52 otherwise.
  defp ceiling("dynamic, glibc", :session_dirty), do: 64
  defp ceiling(_static, :session_dirty), do: 48

  defp ceiling("dynamic, glibc", :dirty), do: 180
  defp ceiling(_static, :dirty), do: 92

  defp tell(name, count, ceiling) do
    verdict = if count > ceiling, do: "TOO MUCH", else: "good"
    IO.puts("  #{String.pad_trailing(name, 52)} #{count}, at most #{ceiling}: #{verdict}")
    ceiling
  end

  defp fail(over) do
    IO.puts(:stderr, "Over the budget of bench/budget.exs: #{Enum.join(over, ", ")}")
    System.halt(1)
  end

  # The calls for one more command, including those in the program's process before the exec.
  defp session_calls(helper, folder) do
    runs = fn count -> for _ <- 1..count, do: {"", 0} = MuonTrap.cmd("true", []) end

    counted = fn count ->
      lines = traced(helper, folder, ["-f", "-qq"], fn -> runs.(count) end)
      # The fork server is executed again, with its own trace.
      :ok = Supervisor.terminate_child(MuonTrap.Supervisor, MuonTrap.ForkServer.Server)
      {:ok, _pid} = Supervisor.restart_child(MuonTrap.Supervisor, MuonTrap.ForkServer.Server)
      count_own(lines)
    end

    div(counted.(21) - counted.(1), 20)
  end

  # The helper's calls, including those in the program's process before the exec.
  defp start_calls(helper, folder) do
    ["-f", "-qq"]
    |> then(&traced(helper, folder, &1, fn -> {"", 0} = MuonTrap.cmd("true", []) end))
    |> count_own()
  end

  defp count_own(lines) do
    [{pid, _} | _] = calls = for line <- lines, do: split(line)

    {count, _} =
      Enum.reduce(calls, {0, MapSet.new()}, fn {who, call}, {count, programs} ->
        cond do
          call =~ ~r/resumed>|^[-+]{3} / -> {count, programs}
          who in programs -> {count, programs}
          who != pid and call =~ ~r/^execve\(/ -> {count + 1, MapSet.put(programs, who)}
          true -> {count + 1, programs}
        end
      end)

    count
  end

  defp split(line) do
    [pid, call] = String.split(line, ~r/ +/, parts: 2)
    {pid, call}
  end

  # Polls for an acknowledgement that find none depend on the machine's speed, and are not counted.
  defp output_calls(helper, folder) do
    lines =
      traced(helper, folder, ["-qq"], fn ->
        {_, 0} = MuonTrap.cmd("head", ["-c", @output, "/dev/zero"])
      end)

    div(Enum.count(lines, &(not (&1 =~ ~r/EAGAIN|sched_yield/))), @megabytes)
  end

  # The lines of strace, which a wrapper script runs instead of the helper.
  defp traced(helper, folder, options, fun) do
    log = Path.join(folder, "strace")
    under(["strace", "-o", log | options], helper, folder, fun)
    log |> File.read!() |> String.split("\n", trim: true)
  end

  # Those of the program's process before the exec are not counted.
  defp instructions(helper, folder) do
    log = Path.join(folder, "callgrind")
    options = ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file=#{log}"]
    under(["valgrind" | options], helper, folder, fn -> {"", 0} = MuonTrap.cmd("true", []) end)
    collected(log, System.monotonic_time(:millisecond) + 10_000)
  end

  # It is written when the helper exits, which is after the command has returned.
  defp collected(log, deadline) do
    case Regex.run(~r/Collected : (\d+)/, File.read!(log)) do
      [_, count] ->
        String.to_integer(count)

      nil ->
        true = System.monotonic_time(:millisecond) < deadline
        collected(log, deadline)
    end
  end

  # Calls `fun` with a helper that is executed by these words.
  defp under(words, helper, folder, fun) do
    wrapper = Path.join(folder, "muontrap")
    words = Enum.join(words ++ ["'#{helper}'"], " ")
    File.write!(wrapper, "#!/bin/sh\nexec #{words} \"$@\"\n")
    File.chmod!(wrapper, 0o755)
    Application.put_env(:muontrap, :helper, wrapper)
    fun.()
    Application.delete_env(:muontrap, :helper)
  end

  # Pages of a file that was just written are dirty, too, until they are on the disk.
  defp dirty do
    {"", 0} = System.cmd("sync", [])
    {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
    rollup = File.read!("/proc/#{Daemon.os_pid(daemon)}/smaps_rollup")
    GenServer.stop(daemon)
    [_, size] = Regex.run(~r/^Private_Dirty:\s+(\d+) kB/m, rollup)
    String.to_integer(size)
  end
end

Bench.Budget.main()
