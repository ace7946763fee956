# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Kinds do
  @moduledoc """
  Programs that are hard to stop, each in two forms: one that stays, and one that exits with status 0 when
  all its processes are running, and leaves them behind.
  """

  alias MuonTrap.Test.{Callback, OS}

  # Enough processes for a fork bomb, and few enough to stop each of them.
  @bomb 40

  @enforce_keys [:name, :stays, :leaves, :left, :in_place?]
  defstruct [
    :name,
    :stays,
    :leaves,
    :left,
    :in_place?,
    status: 143,
    held: false,
    needs: [],
    needs_to_leave: []
  ]

  @typedoc """
  `stays` and `leaves` are scripts; `left` is the least number of processes that the second one leaves behind.
  `in_place?` gets the pids of all processes of the first one, except the helper, and returns whether it is
  ready. `status` is its exit status after the stop signal. `held`: its output must not be read. `needs` are what its
  tests need, and `needs_to_leave` those of the second form, as for `MuonTrap.Test.Needs`.
  """
  @type t :: %__MODULE__{
          name: String.t(),
          stays: String.t(),
          leaves: String.t(),
          left: non_neg_integer(),
          in_place?: ([pos_integer()] -> boolean()),
          status: 143 | 137,
          held: boolean(),
          needs: [atom()],
          needs_to_leave: [atom()]
        }

  @doc "All kinds."
  @spec all() :: [t()]
  def all do
    [
      # A single process leaves nothing behind: it just exits.
      %__MODULE__{
        name: "direct child",
        stays: "exec sleep 1000",
        leaves: "exit 0",
        left: 0,
        in_place?: &named?(&1, ~w(sleep))
      },
      both(
        name: "background child",
        script: "sleep 1000 & (sleep 1000; :) &",
        left: 2,
        in_place?: &named?(&1, ~w(sh sh sleep sleep))
      ),
      both(
        name: "setsid child",
        script: """
        setsid sleep 1000 &
        until [ "$(cut -d ' ' -f 6 /proc/$!/stat)" = $! ]; do :; done
        """,
        left: 1,
        in_place?:
          &(named?(&1, ~w(sh sleep)) and Enum.any?(&1, fn pid -> leads_session?(pid) end)),
        needs_to_leave: [:subreaper]
      ),
      # When the session leader has exited, `sleep` has neither parent nor grandparent.
      %__MODULE__{
        name: "double-forked daemon",
        stays: "setsid sh -c 'sleep 1000 & exit 0'; exec sleep 1000",
        leaves: "setsid sh -c 'sleep 1000 & exit 0'; exit 0",
        left: 1,
        in_place?: &(named?(&1, ~w(sleep sleep)) and Enum.any?(&1, fn pid -> adopted?(pid) end)),
        needs: [:subreaper]
      },
      both(
        name: "tree that ignores SIGTERM",
        script: "trap '' TERM INT HUP QUIT; sleep 1000 & (trap '' TERM; sleep 1000; :) &",
        left: 2,
        status: 137,
        in_place?: &named?(&1, ~w(sh sh sleep sleep))
      ),
      # The program stops itself and its child. The child is left behind, stopped. Without a subreaper, its group is
      # orphaned then, and gets a SIGHUP from the kernel: setpgid(2).
      %__MODULE__{
        name: "SIGSTOPped program",
        stays: "sleep 1000 & kill -STOP $!; kill -STOP $$; wait",
        leaves: "trap '' HUP; sleep 1000 & kill -STOP $!; exit 0",
        left: 1,
        in_place?: fn pids -> length(pids) == 2 and Enum.all?(pids, &(OS.state(&1) == "T")) end
      },
      # The program writes, and nobody reads. A child that does the same is left behind, blocked.
      %__MODULE__{
        name: "program blocked in write",
        stays: "exec yes",
        leaves: "yes & until grep -q ') S ' /proc/$!/stat; do :; done; exit 0",
        left: 1,
        in_place?: fn pids -> named?(pids, ~w(yes)) and stuck?(pids ++ parents(pids)) end,
        held: true
      },
      # All of its processes fork until the limit is reached, and then go on trying. The first process exits
      # when it reaches the limit.
      %__MODULE__{
        name: "fork bomb",
        stays: "exec perl -e 'for (;;) { fork }'",
        leaves: "exec perl -e 'for (;;) { exit 0 if !defined fork and $$ == $ARGV[0] }' $$",
        left: div(@bomb, 2),
        in_place?: &(length(&1) >= div(@bomb, 2)),
        needs: [:subreaper]
      }
    ]
  end

  defp both(fields) do
    {script, fields} = Keyword.pop!(fields, :script)
    struct!(__MODULE__, [stays: "#{script}\nwait", leaves: "#{script}\nexit 0"] ++ fields)
  end

  @doc "The command, arguments and options to run one of the two scripts, with `marker` in all processes."
  @spec command(t(), :stays | :leaves, String.t()) :: {String.t(), [String.t()], keyword()}
  def command(kind, form, marker) do
    # Only processes that ignore the signal are to be killed.
    delay = if kind.status == 137, do: 200, else: 20_000
    opts = [env: [{"MARKER", marker}], delay_to_sigkill: delay]

    # The first output shows that the program is running. The marker is also the script's name, so that it is
    # in the helper's command line: not every user can read its environment.
    script = "echo; " <> Map.fetch!(kind, form)

    case kind do
      %{name: "fork bomb"} ->
        {prefix, user} = bomb_limit()
        [command | args] = prefix ++ ["sh", "-c", script, marker]
        {command, args, opts ++ user}

      # With such a small window, an acknowledgement does not make room for a page in the pipe.
      %{held: true} ->
        {"sh", ["-c", script, marker], [stdio_window: 256] ++ opts}

      _kind ->
        {"sh", ["-c", script, marker], opts}
    end
  end

  # Sets the limit for these processes only. It does not apply to root, which uses another user for them.
  # Other users use a new user namespace, or without one, add the number of their processes.
  defp bomb_limit do
    cond do
      OS.root?() ->
        uid = 1_000_000 + System.unique_integer([:positive]) + String.to_integer(System.pid())
        {["prlimit", "--nproc=#{@bomb}"], [uid: uid]}

      match?({_, 0}, System.cmd("unshare", ["--user", "true"], stderr_to_stdout: true)) ->
        {["unshare", "--user", "prlimit", "--nproc=#{@bomb}"], []}

      true ->
        {uid, 0} = System.cmd("id", ["-u"])
        tasks = Path.wildcard("/proc/[0-9]*/task/*/status")
        mine = Enum.count(tasks, &(real_uid(&1) == String.trim(uid)))
        {["prlimit", "--nproc=#{@bomb + mine}"], []}
    end
  end

  defp real_uid(status) do
    with {:ok, content} <- File.read(status),
         [_, uid] <- Regex.run(~r/^Uid:\t(\d+)/m, content),
         do: uid
  end

  @doc """
  Handles output, the first chunk only after the message `:release`, for which it asks `test` with
  `{:held, pid}`.
  """
  @spec hold(binary(), pid()) :: term()
  def hold(_output, test) do
    if Process.put(__MODULE__, :held) == nil do
      send(test, {:held, self()})
      receive(do: (:release -> :ok))
    end
  end

  @doc "Runs a command and never handles its output."
  @spec run_held(String.t(), [String.t()], keyword()) :: no_return()
  def run_held(command, args, opts) do
    fun = fn _output -> receive(do: (:never -> :ok)) end
    MuonTrap.cmd(command, args, [into: %Callback{fun: fun}] ++ opts)
  end

  @doc "Kills the processes that are left after a failed test: a fork bomb must not go on."
  @spec clean_up(String.t(), [pos_integer()]) :: :ok
  def clean_up(marker, stopped \\ []) do
    case OS.marked(marker) do
      [] ->
        :ok

      ^stopped ->
        signal("KILL", stopped)
        clean_up(marker)

      # Processes that are not stopped yet may fork.
      found ->
        signal("STOP", found)
        clean_up(marker, found)
    end
  end

  # Some of them may have exited.
  defp signal(name, pids) do
    System.cmd("sh", ["-c", "kill -s #{name} #{Enum.join(pids, " ")}"], stderr_to_stdout: true)
  end

  # Checks from outside

  defp named?(pids, names), do: pids |> Enum.map(&OS.name/1) |> Enum.sort() == names

  defp leads_session?(pid) do
    match?([_state, _parent, _group, ^pid | _rest], stat(pid))
  end

  # The program leads its process group; any other child of the helper is an orphan that it has adopted.
  defp adopted?(pid) do
    with [_state, parent, group | _rest] <- stat(pid) do
      OS.muontrap?(parent) == true and group != pid
    else
      [] -> false
    end
  end

  defp parents(pids), do: for(pid <- pids, [_state, parent | _rest] <- [stat(pid)], do: parent)

  # Returns whether all were asleep at the same moment: they are asleep, and have not run since the last time
  # that all were asleep. Nothing from outside wakes them up.
  defp stuck?(pids) do
    first = Enum.map(pids, &sleep_count/1)
    second = Enum.map(pids, &sleep_count/1)
    first == second and :awake not in first
  end

  defp sleep_count(pid) do
    with {:ok, status} <- File.read("/proc/#{pid}/status"),
         [_, count] <-
           Regex.run(~r/^State:\tS .*^voluntary_ctxt_switches:\t(\d+)/ms, status) do
      count
    else
      _other -> :awake
    end
  end

  # State, parent, process group and session: proc_pid_stat(5).
  defp stat(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, stat} ->
        [state | numbers] = stat |> String.split(") ") |> List.last() |> String.split()
        [state | numbers |> Enum.take(3) |> Enum.map(&String.to_integer/1)]

      {:error, _gone} ->
        []
    end
  end
end
