# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Guard do
  @moduledoc false

  # One small process for each helper that was executed for a program. It is linked to the port,
  # so that the owner need not be, and monitors the owner:
  #
  #   * The owner dies: the guard takes the port over, has the program stopped, waits until all of it
  #     is gone, and ends.
  #   * The owner has got the last frame, dismisses the guard, and closes the port: the guard ends.
  #   * The helper dies: the guard cleans up, since the owner may be busy, and tells the owner.
  #   * The guard dies: the port closes, which has the helper stop everything, and the owner, who
  #     monitors the port, is told.
  #
  # The guard opens the port itself, and hands it to the owner with its first message. So whenever the owner dies, there
  # is a process that stops the program. While the owner lives, no frame goes through the guard.

  require Logger

  alias MuonTrap.{Cgroup, Label, Ports, Predecessors}
  alias MuonTrap.Session.Frame

  # EXITED may have gone to the owner just before it died. It does not come twice, so after this
  # long without it the guard closes the port, which is as good as STOP and DISCARD and lets a
  # helper that is done go at once, and waits for the helper's process instead.
  @exited_wait_ms 100

  @type request :: %{
          helper: binary(),
          port_options: list(),
          frames: [iodata()],
          patience: non_neg_integer(),
          key: Predecessors.key() | nil,
          group: Cgroup.t() | nil,
          clean_up: clean_up()
        }

  @typedoc "What a helper may have left behind."
  @type left :: %{
          :helper_pid => pos_integer() | nil,
          :program_pid => pos_integer() | nil,
          :group => Cgroup.t() | nil,
          :patience => non_neg_integer(),
          optional(atom()) => term()
        }

  @typedoc "Kills and removes that. Returns what to say when it cannot."
  @type clean_up :: (left() -> String.t() | nil)

  @doc """
  Opens a port on behalf of the caller, and sends the frames. With the first message of the port, the caller becomes its
  owner, and gets `{ref, messages}`; or `:DOWN` of `ref`, when the guard dies before that.
  """
  @spec open(request()) ::
          {:ok, pid(), reference(), port(), pos_integer() | nil} | {:error, term()}
  def open(request) do
    # Not by :proc_lib, whose crash reports show the mailbox: frames have the environment.
    guard = spawn(__MODULE__, :init, [self()])
    # The alias is gone with the monitor.
    ref = :erlang.monitor(:process, guard, alias: :demonitor)
    send(guard, {:open, ref, request})

    receive do
      {^ref, {:ok, port, os_pid}} ->
        {:ok, guard, ref, port, os_pid}

      {^ref, {:error, reason}} ->
        Process.demonitor(ref, [:flush])
        {:error, reason}

      {:DOWN, ^ref, :process, ^guard, reason} ->
        {:error, reason}
    end
  end

  @doc """
  Waits until what a dead helper has left behind is gone, once the caller has closed the port, and returns
  what to say about it, if anything. That ends the guard. `:error` when there is no guard any more.
  """
  @spec cleaned(pid()) :: {:ok, String.t() | nil} | :error
  def cleaned(guard) do
    ref = :erlang.monitor(:process, guard, alias: :reply_demonitor)
    send(guard, {:cleaned, ref})

    receive do
      {^ref, advice} -> {:ok, advice}
      {:DOWN, ^ref, :process, ^guard, _reason} -> :error
    end
  end

  @doc "Ends the guard, once the caller has closed the port, too: nothing is left of the program."
  @spec dismiss(pid()) :: :ok
  def dismiss(guard) do
    send(guard, :dismissed)
    :ok
  end

  @doc "Has the guard stop a program whose port it still owns, and waits until it is gone."
  @spec abandon(pid()) :: :ok
  def abandon(guard) do
    ref = Process.monitor(guard)
    send(guard, :abandoned)

    receive do
      {:DOWN, ^ref, :process, ^guard, _reason} -> :ok
    end
  end

  @doc false
  @spec init(pid()) :: :ok
  def init(owner) do
    Label.set("MuonTrap: guard of a helper")
    Process.flag(:trap_exit, true)
    monitor = Process.monitor(owner)

    receive do
      {:open, ref, request} -> start(owner, monitor, ref, request)
      {:DOWN, ^monitor, :process, ^owner, _reason} -> :ok
    end
  end

  defp start(owner, monitor, ref, request) do
    with {:ok, entry} <- enter(request.key, owner),
         {:ok, port} <- open_port(request, entry) do
      os_pid = os_pid(port)
      send(ref, {ref, {:ok, port, os_pid}})
      Enum.each(request.frames, &Ports.command(port, &1))

      await_first(
        %{
          port: port,
          monitor: monitor,
          patience: request.patience,
          entry: entry,
          helper_pid: os_pid,
          group: request.group,
          clean_up: request.clean_up,
          program_pid: nil
        },
        owner,
        ref
      )
    else
      {:error, reason} ->
        send(ref, {ref, {:error, reason}})
        :ok
    end
  end

  defp os_pid(port) do
    case Port.info(port, :os_pid) do
      {:os_pid, pid} when is_integer(pid) -> pid
      _closed -> nil
    end
  end

  # The pid in STARTED is needed for the clean-up, even if the owner dies at this moment.
  defp await_first(%{port: port, monitor: monitor} = state, owner, ref) do
    receive do
      {^port, content} = first ->
        start_session(note_program(state, content), owner, ref, [first])

      {:EXIT, ^port, _reason} = closed ->
        # The receive in watch/1 waits for this message.
        send(self(), closed)
        start_session(state, owner, ref, [])

      {:DOWN, ^monitor, :process, ^owner, _reason} ->
        take_over(state)
        leave(state.entry)

      :abandoned ->
        take_over(state)
        leave(state.entry)
    end
  end

  defp start_session(%{port: port} = state, owner, ref, first) do
    hand_over(port, owner)
    send(ref, {ref, first ++ early(port)})

    # A daemon may run for months: drop what is left of the request.
    if state.entry, do: :erlang.hibernate(__MODULE__, :guard, [state]), else: guard(state)
  end

  defp note_program(state, {:data, data}) do
    case Frame.decode(data) do
      {:started, started} -> %{state | program_pid: started.program_pid}
      _other -> state
    end
  end

  defp note_program(state, _exit_status), do: state

  # Only daemons have successors.
  defp enter(nil, _owner), do: {:ok, nil}
  defp enter(key, owner), do: Predecessors.enter(key, owner, self())

  defp leave(nil), do: :ok
  defp leave(entry), do: Predecessors.leave(entry)

  defp open_port(request, entry) do
    {:ok, Port.open({:spawn_executable, request.helper}, request.port_options)}
  catch
    :error, reason ->
      leave(entry)
      {:error, reason}
  end

  # Fails when the owner is dead or the port is closed, of which a message is on its way.
  defp hand_over(port, owner) do
    Port.connect(port, owner)
  rescue
    ArgumentError -> :ok
  end

  defp early(port) do
    receive do
      {^port, _message} = message -> [message | early(port)]
    after
      0 -> []
    end
  end

  @doc false
  @spec guard(map()) :: :ok
  def guard(state) do
    watch(state)
    leave(state.entry)
  end

  defp watch(%{port: port, monitor: monitor} = state) do
    receive do
      {:DOWN, ^monitor, :process, _owner, _reason} -> take_over(state)
      {:EXIT, ^port, _reason} -> port_closed(state)
      :dismissed -> dismissed(state)
      # The caller gave up just before it got the first message.
      :abandoned -> take_over(state)
    end
  end

  # The owner is about to close the port.
  defp dismissed(%{port: port, monitor: monitor}) do
    receive do
      {:EXIT, ^port, _reason} -> :ok
      {:DOWN, ^monitor, :process, _owner, _reason} -> Ports.close(port)
    end
  end

  # The helper died. What it has left behind is killed at once, since its pids may be reused later. A successor has to
  # wait until that is done.
  defp port_closed(%{monitor: monitor} = state) do
    advice = state.clean_up.(state)

    receive do
      {:cleaned, ref} ->
        send(ref, {ref, advice})
        :ok

      over when over in [:dismissed, :abandoned] ->
        :ok

      {:DOWN, ^monitor, :process, _owner, _reason} ->
        log(advice, state)
    end
  end

  # The next program in this group tries again.
  defp log(nil, _state), do: :ok
  defp log(advice, state), do: Logger.error("muontrap was killed: #{about(state)}#{advice}")

  defp about(%{program_pid: nil}), do: ""
  defp about(state), do: "of the program with pid #{state.program_pid}, "

  defp take_over(%{port: port} = state) do
    hand_over(port, self())
    Ports.command(port, Frame.encode(:discard))
    Ports.command(port, Frame.encode(:stop))
    await_exited(state, now() + @exited_wait_ms)
  end

  defp await_exited(%{port: port} = state, deadline) do
    receive do
      {^port, {:data, data} = content} ->
        case Frame.decode(data) do
          {ended, _report} when ended in [:exited, :failed] -> Ports.close(port)
          _other -> state |> note_program(content) |> await_exited(deadline)
        end

      # The helper is dead, and so is the program in a moment.
      {:EXIT, ^port, _reason} ->
        state |> state.clean_up.() |> log(state)
    after
      max(deadline - now(), 0) ->
        Ports.close(port)
        # There is nothing left to clean, unless the helper was killed meanwhile.
        state |> state.clean_up.() |> log(state)
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
