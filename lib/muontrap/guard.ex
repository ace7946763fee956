# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Guard do
  @moduledoc false

  # One small process for each running command. It is linked to the port, so that the owner need not
  # be, and monitors the owner:
  #
  #   * The owner dies: the guard takes the port over, has the program stopped, waits until all of it
  #     is gone, and ends.
  #   * The owner dismisses the guard, since all is over, and closes the port: the guard ends.
  #   * The helper dies: the guard cleans up, since the owner may be busy, and tells the owner.
  #   * The guard dies: the port closes, which has the helper stop everything, and the owner, who
  #     monitors the port, is told.
  #
  # The guard opens the port itself, and hands it to the owner once the program has started. So there is
  # no moment at which the owner could die without somebody to look after the port. While the owner
  # lives, the guard sees nothing of the traffic but the first frame.

  # A process with a long mailbox searches all of it for each message of a port. For such an owner, the
  # guard keeps the port and hands out its messages one by one, when asked by next/2: the owner then
  # waits for an answer with a fresh reference, which the BEAM finds without looking at what was there
  # before.

  require Logger

  alias MuonTrap.{Cgroups, Frame, OsProcess, Port, Predecessors}
  alias MuonTrap.Options.Env

  # EXITED may have gone to the owner just before it died. It does not come twice, so after this long
  # without it the guard closes the port, which is as good as STOP and DISCARD and lets a helper that
  # is done go at once, and waits for the helper's process instead.
  @exited_wait_ms 100

  # What the helper has to end a set-up that takes too long, before it is killed.
  @set_up_end_ms 5_000

  @type request :: %{
          helper: binary(),
          port_options: list(),
          env: Env.t() | [],
          patience: non_neg_integer(),
          key: Predecessors.key() | nil,
          group: Cgroups.t() | nil,
          relay?: boolean(),
          deadline: integer() | :infinity
        }

  @doc """
  Opens a port on behalf of the caller, who owns it afterwards without being linked to it, and waits for
  its first message. Returns the guard, the port, the pid of the helper, and the messages of the port that
  came before it was the caller's: none when it was closed.

  With `relay?`, the guard goes on owning it. Its messages are to be had from `next/2`, and `dismiss/1`
  ends the guard.
  """
  @spec open(request()) ::
          {:ok, pid(), port(), helper :: pos_integer() | nil, [term()]} | {:error, term()}
  def open(request) do
    guard = spawn(__MODULE__, :init, [self()])

    # Called in full for the compiler to see a fresh reference: it makes the receive below skip what
    # was in the mailbox before.
    ref = :erlang.monitor(:process, guard, alias: :reply_demonitor)
    send(guard, {:open, ref, request})

    receive do
      {^ref, {:ok, port, helper_pid, early}} ->
        unlink(port)
        {:ok, guard, port, helper_pid, early}

      {^ref, {:error, reason}} ->
        {:error, reason}

      {:DOWN, ^ref, :process, ^guard, reason} ->
        {:error, reason}
    end
  end

  # Becoming the owner of a port links it, too.
  defp unlink(port) do
    Process.unlink(port)

    if Process.info(self(), :trap_exit) == {:trap_exit, true} do
      receive do
        {:EXIT, ^port, _reason} -> :ok
      after
        0 -> :ok
      end
    end
  end

  @doc "The next message of a relayed port; `:closed` after the last, `:timeout` after `timeout` ms."
  @spec next(pid(), timeout()) :: {port(), term()} | :closed | :timeout
  def next(guard, timeout) do
    ref = :erlang.monitor(:process, guard, alias: :reply_demonitor)
    send(guard, {:next, ref, timeout})

    receive do
      {^ref, answer} -> answer
      {:DOWN, ^ref, :process, ^guard, _reason} -> :closed
    end
  end

  @doc """
  Waits until what a dead helper has left behind is gone, once the caller has closed the port, and returns
  what to say about it, if anything. That ends the guard. `:error` when there is no guard any more.
  """
  @spec cleaned(pid() | nil) :: {:ok, String.t() | nil} | :error
  def cleaned(nil), do: :error

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

  @doc false
  @spec init(pid()) :: :ok
  def init(owner) do
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
      state = %{
        port: port,
        monitor: monitor,
        patience: request.patience,
        entry: entry,
        helper: request.helper,
        helper_pid: Port.os_pid(port),
        group: request.group,
        program_pid: nil
      }

      await_first(state, owner, ref, request.relay?, request.deadline)
    else
      {:error, reason} ->
        send(ref, {ref, {:error, reason}})
        :ok
    end
  end

  # STARTED must not be lost with an owner who dies just then.
  defp await_first(%{port: port, monitor: monitor} = state, owner, ref, relay?, deadline) do
    receive do
      {^port, content} = first ->
        start_session(note_program(state, content), owner, ref, relay?, [first])

      {:EXIT, ^port, _reason} = closed ->
        # For whoever looks for it next.
        send(self(), closed)
        start_session(state, owner, ref, relay?, [])

      {:DOWN, ^monitor, :process, ^owner, _reason} ->
        take_over(state)
        leave(state.entry)
    after
      remaining(deadline) -> give_up(state, owner, ref, relay?, deadline)
    end
  end

  # The helper ends its set-up at once, unless it is stuck in the kernel.
  defp give_up(state, owner, ref, relay?, {:stopped, _deadline}) do
    _killed? = OsProcess.kill_left(state.helper_pid, nil, state.patience)
    await_first(state, owner, ref, relay?, :infinity)
  end

  defp give_up(state, owner, ref, relay?, _deadline) do
    Port.stop(state.port)
    await_first(state, owner, ref, relay?, {:stopped, now() + @set_up_end_ms})
  end

  defp remaining(:infinity), do: :infinity
  defp remaining({:stopped, deadline}), do: remaining(deadline)
  defp remaining(deadline), do: max(deadline - now(), 0)

  defp start_session(state, _owner, ref, true, first) do
    send(ref, {ref, {:ok, state.port, state.helper_pid, first}})
    relay(state)
  end

  defp start_session(%{port: port} = state, owner, ref, false, first) do
    hand_over(port, owner)
    send(ref, {ref, {:ok, port, state.helper_pid, first ++ early(port)}})

    # A daemon may run for months: drop what is left of the request.
    if state.entry, do: :erlang.hibernate(__MODULE__, :guard, [state]), else: guard(state)
  end

  defp note_program(state, {:data, data}) do
    case Frame.decode(data) do
      {:started, pid, _cgroups} -> %{state | program_pid: pid}
      _other -> state
    end
  end

  defp note_program(state, _exit_status), do: state

  # Only daemons have successors.
  defp enter(nil, _owner), do: {:ok, nil}
  defp enter(key, owner), do: Predecessors.enter(key, owner)

  defp leave(nil), do: :ok
  defp leave(entry), do: Predecessors.leave(entry)

  defp open_port(request, entry) do
    options = [{:env, Env.reveal(request.env)} | request.port_options]
    {:ok, Elixir.Port.open({:spawn_executable, request.helper}, options)}
  catch
    :error, reason ->
      leave(entry)
      {:error, reason}
  end

  # Fails when the owner is dead or the port is closed, of which a message is on its way.
  defp hand_over(port, owner) do
    Elixir.Port.connect(port, owner)
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
    end
  end

  # The owner is about to close the port.
  defp dismissed(%{port: port, monitor: monitor}) do
    receive do
      {:EXIT, ^port, _reason} -> :ok
      {:DOWN, ^monitor, :process, _owner, _reason} -> Port.close_port(port)
    end
  end

  # The helper died. What it leaves behind goes right away: later, their pids may be those of others. Until
  # then a successor must not come.
  defp port_closed(%{monitor: monitor} = state) do
    advice = Port.clean_up(state)

    receive do
      {:cleaned, ref} ->
        send(ref, {ref, advice})
        :ok

      :dismissed ->
        :ok

      {:DOWN, ^monitor, :process, _owner, _reason} ->
        log(advice, state)
    end
  end

  # What the helper would have done. The owner, who would be told when it fails, is dead.
  defp clean_up(state), do: state |> Port.clean_up() |> log(state)

  # The next program in this group tries again.
  defp log(nil, _state), do: :ok
  defp log(advice, state), do: Logger.error("muontrap was killed: #{about(state)}#{advice}")

  defp about(%{program_pid: nil}), do: ""
  defp about(state), do: "of the program with pid #{state.program_pid}, "

  # The port's end is not looked at before all else that came from it was handed out.
  defp relay(%{port: port, monitor: monitor} = state) do
    receive do
      {:cleaned, _ref} = question ->
        # The owner has closed the port.
        send(self(), question)
        port_closed(state)

      {:next, ref, timeout} ->
        receive do
          {^port, _message} = message -> answer(state, ref, message)
          {:EXIT, ^port, _reason} = closed -> answer_closed(state, ref, closed)
          {:DOWN, ^monitor, :process, _owner, _reason} -> take_over(state)
        after
          timeout -> answer(state, ref, :timeout)
        end

      {:DOWN, ^monitor, :process, _owner, _reason} ->
        take_over(state)

      :dismissed ->
        dismissed(state)
    end
  end

  defp answer(state, ref, answer) do
    send(ref, {ref, answer})
    relay(state)
  end

  # There is a message about it but once, and more is to come for which it has to be there.
  defp answer_closed(state, ref, closed) do
    send(self(), closed)
    answer(state, ref, :closed)
  end

  defp take_over(%{port: port} = state) do
    hand_over(port, self())
    Port.discard(port)
    Port.stop(port)
    await_exited(state, now() + exited_wait(state.patience))
  end

  # Without /proc, there is nothing but EXITED to wait for.
  defp exited_wait(patience) do
    if File.dir?("/proc/self"), do: @exited_wait_ms, else: patience
  end

  defp await_exited(%{port: port} = state, deadline) do
    receive do
      {^port, {:data, data} = content} ->
        case Frame.decode(data) do
          {ended, _report} when ended in [:exited, :failed] -> Port.close_port(port)
          _other -> state |> note_program(content) |> await_exited(deadline)
        end

      # The helper is dead, and so is the program in a moment.
      {:EXIT, ^port, _reason} ->
        clean_up(state)
    after
      max(deadline - now(), 0) ->
        Port.close_port(port)
        # There is nothing left to clean, unless the helper was killed meanwhile.
        clean_up(state)
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
