# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon do
  @moduledoc """
  Runs a long-lived program under a supervisor.

  The program lives as long as its daemon: when the daemon stops or dies, for whatever reason, the
  program and everything that it started are gone; when the program ends, the daemon stops.

      children = [
        {MuonTrap.Daemon, ["my_server", ["--port", "8080"], [log_output: :info]]}
      ]

      Supervisor.start_link(children, strategy: :one_for_one)

  The list holds the arguments of `start_link/3`, of which the options may be left out. Every daemon
  has the id `MuonTrap.Daemon` unless told otherwise, so that several under one supervisor need an id
  each:

      Supervisor.child_spec({MuonTrap.Daemon, ["my_server", []]}, id: :my_server)

  ## Options

  Those of `MuonTrap.cmd/3`, but for `:into`, `:lines` and `:timeout`, and these:

    * `:name` - a name for the daemon: an atom, `{:global, term}` or `{:via, module, term}`, as for
      every `GenServer`

    * `:log_output` - logs each line of the output at this level: a level of `Logger`

    * `:log_prefix` - what each logged line begins with; by default the command, a colon and a space

    * `:log_transform` - a function that takes a line and returns what to log. By default bytes that
      are not UTF-8 are shown as in `\\xFF`

    * `:logger_metadata` - a keyword list of metadata for each logged line. `muontrap_cmd` (the
      command) and `muontrap_args` (the arguments, with spaces between) are always there

    * `:logger_fun` - is called with each line in the daemon's process, instead of `Logger`: a
      function of one argument, `{module, function}`, or `{module, function, args}` where the line
      comes before `args`. The line is a binary with the bytes that the program wrote. With it,
      the four options above have no effect

    * `:log_max_line_bytes` - a longer line comes in several pieces, none of them longer than this
      many bytes, and none ending inside a UTF-8 character. At least 4, by default 65536

    * `:exit_status_to_reason` - a function that takes the exit status when it is not 0 and returns
      the reason for the daemon to stop with

    * `:wait_for` - a function of no arguments that returns when the program may be started, such as
      when a device has appeared. It runs in a process of its own, linked to the daemon, so that
      neither the supervisor nor the daemon is held up

  ## Output

  The output is only read when `:log_output` or `:logger_fun` asks for it; otherwise stdout goes to
  `/dev/null`, and stderr where that of the BEAM goes. Lines end with `\\n` or `\\r\\n`, which are not
  part of what is logged. What follows the last one is logged when the program ends. A program that
  writes faster than the lines are logged has to wait.

  Nothing else is logged, except that OTP reports a daemon that stops with an error, as it does for
  every process under a supervisor.

  ## When the program ends

  With exit status 0, the daemon stops with the reason `:normal`. With any other, or by a signal
  (exit status 128 + n for signal n), it stops with `:error_exit_status`, or with what
  `:exit_status_to_reason` makes of it. So a supervisor restarts a `:permanent` daemon always, a
  `:transient` one after an error, and a `:temporary` one never.

  If the helper, `muontrap`, is killed, the program dies with it, and the daemon stops with a
  `MuonTrap.Error` with the step `:helper`.

  ## When the daemon stops

  `Supervisor.terminate_child/2`, `GenServer.stop/1` and the shutdown of a supervisor return when the
  program and all of its descendants are gone, and its last output is logged. The program gets the
  stop signal first (`:stop_signal`), and SIGKILL after `:delay_to_sigkill`. `child_spec/1` gives the
  daemon 5 seconds more than that for a shutdown.

  A daemon that is killed (`Process.exit(pid, :kill)`) cannot wait, but its program is stopped in the
  same way. A new daemon with the same command and arguments waits for that, so that two copies of
  the program never overlap.
  """

  use GenServer

  alias MuonTrap.{Error, Guard, LineBuffer, Options, Port}
  alias MuonTrap.Daemon.State

  # Killing and reaping take milliseconds, and draining the output takes as long as the logging of
  # what is in the pipes.
  @shutdown_margin_ms 5_000

  @typedoc "What `statistics/1` returns."
  @type statistics :: %{
          output_byte_count: non_neg_integer(),
          stdout_byte_count: non_neg_integer(),
          stderr_byte_count: non_neg_integer(),
          line_count: non_neg_integer(),
          uptime_ms: non_neg_integer(),
          cgroup: %{optional(String.t()) => term()}
        }

  @doc """
  The child specification for `[command, args]` or `[command, args, opts]`.

  The id is `MuonTrap.Daemon`. The shutdown time is `:delay_to_sigkill` (500 ms by default) and 5
  seconds for killing what is left and logging the last output.

  ## Examples

      iex> MuonTrap.Daemon.child_spec(["sleep", ["60"], [delay_to_sigkill: 2000]])
      %{
        id: MuonTrap.Daemon,
        start: {MuonTrap.Daemon, :start_link, ["sleep", ["60"], [delay_to_sigkill: 2000]]},
        type: :worker,
        restart: :permanent,
        shutdown: 7000
      }
  """
  @spec child_spec(list()) :: Supervisor.child_spec()
  def child_spec([command, args]), do: child_spec([command, args, []])

  def child_spec([command, args, opts]) do
    %{
      id: __MODULE__,
      start: {__MODULE__, :start_link, [command, args, opts]},
      type: :worker,
      restart: :permanent,
      shutdown: delay_to_sigkill(opts) + @shutdown_margin_ms
    }
  end

  # A wrong value is for start_link/3 to complain about.
  defp delay_to_sigkill(opts) do
    case Keyword.get(opts, :delay_to_sigkill) do
      delay when is_integer(delay) and delay >= 0 -> delay
      _other -> 500
    end
  end

  @doc """
  Starts a daemon, linked to the caller, and returns when its program runs.

  With `:wait_for` it returns at once, and the program is started later.

  Raises `ArgumentError` for invalid arguments and options. Returns `{:error, reason}` when the
  program cannot be started:

    * `:enoent` - there is no such program
    * `:eacces` - it is not executable
    * `{:already_started, pid}` - the name is taken
    * a `MuonTrap.Error` - anything else

  The caller is not sent an exit signal then. A program that cannot be started after `:wait_for` has
  returned stops the daemon with the same reason.

  ## Examples

      iex> {:ok, pid} = MuonTrap.Daemon.start_link("sleep", ["60"])
      iex> is_integer(MuonTrap.Daemon.program_os_pid(pid))
      true
      iex> GenServer.stop(pid)
      :ok

      iex> MuonTrap.Daemon.start_link("no_such_program", [])
      {:error, :enoent}
  """
  @spec start_link(binary(), [binary()], keyword()) ::
          {:ok, pid()} | {:error, :enoent | :eacces | {:already_started, pid()} | Error.t()}
  def start_link(command, args, opts \\ []) do
    case validate(command, args, opts) do
      {:ok, options} ->
        name = if options.name, do: [name: options.name], else: []
        ref = make_ref()

        # An error told in this way, instead of by init/1's {:stop, reason}, does not come with an
        # exit signal that would end a caller who means to look at it.
        with :ignore <- GenServer.start_link(__MODULE__, {self(), ref, options}, name) do
          receive do
            {^ref, reason} -> {:error, reason}
          end
        end

      {:error, reason} ->
        {:error, reason}
    end
  end

  defp validate(command, args, opts) do
    {:ok, Options.validate(:daemon, command, args, opts)}
  rescue
    error in ErlangError ->
      if error.original == :enoent, do: {:error, :enoent}, else: reraise(error, __STACKTRACE__)
  end

  @doc """
  The pid of the helper, the process `muontrap` that runs the program; `:error` while there is none.

  Killing the helper kills the program. To send the program a signal, use `program_os_pid/1`.
  """
  @spec os_pid(GenServer.server()) :: pos_integer() | :error
  def os_pid(server), do: GenServer.call(server, :os_pid)

  @doc "The pid of the program; `:error` while there is none."
  @spec program_os_pid(GenServer.server()) :: pos_integer() | :error
  def program_os_pid(server), do: GenServer.call(server, :program_os_pid)

  @doc """
  Counts of what the daemon has handled so far:

    * `:output_byte_count` - bytes of output, of both streams
    * `:stdout_byte_count`, `:stderr_byte_count` - bytes of each; merged streams count as stdout
    * `:line_count` - lines logged, or passed to `:logger_fun`; a piece of a long line counts as one
    * `:uptime_ms` - milliseconds since the program was started; 0 before that
    * `:cgroup` - a map of what the program's cgroup tells; empty without one

  Output is only counted when it is read at all: see "Output" above.
  """
  @spec statistics(GenServer.server()) :: statistics()
  def statistics(server), do: GenServer.call(server, :statistics)

  @impl GenServer
  def init({starter, ref, options}) do
    # For terminate/2 to be called.
    Process.flag(:trap_exit, true)
    state = State.new(options)

    case options.wait_for do
      nil ->
        case start_program(state) do
          {:ok, state} ->
            {:ok, state, {:continue, :early}}

          {:error, reason} ->
            send(starter, {ref, reason})
            :ignore
        end

      wait_for ->
        {:ok, waiter} = Task.start_link(wait_for)
        {:ok, %{state | waiter: waiter}}
    end
  end

  defp start_program(%{options: options} = state) do
    key = {options.cmd, options.args}

    with :ok <- Guard.await_predecessors(key),
         {:ok, session} <- Port.start(options, key) do
      {:ok, State.started(state, session)}
    else
      {:error, :not_started} -> {:error, MuonTrap.Helper.start_error(nil, :not_started)}
      {:error, error} -> {:error, Error.reason(error)}
    end
  end

  @impl GenServer
  def handle_continue(:early, %{session: %{early: []}} = state), do: {:noreply, state}

  def handle_continue(:early, state) do
    {event, session} = Port.next(state.session)

    with {:noreply, state} <- handle_event(event, %{state | session: session}) do
      {:noreply, state, {:continue, :early}}
    end
  end

  @impl GenServer
  def handle_call(:os_pid, _from, state) do
    {:reply, pid(state.session && state.session.helper_pid), state}
  end

  def handle_call(:program_os_pid, _from, state) do
    {:reply, pid(state.session && state.session.program_pid), state}
  end

  def handle_call(:statistics, _from, state), do: {:reply, State.statistics(state), state}

  defp pid(nil), do: :error
  defp pid(pid), do: pid

  @impl GenServer
  def handle_info({:EXIT, waiter, reason}, %{waiter: waiter} = state) when is_pid(waiter) do
    state = %{state | waiter: nil}

    with :normal <- reason,
         {:ok, state} <- start_program(state) do
      {:noreply, state, {:continue, :early}}
    else
      {:error, reason} -> {:stop, reason, state}
      reason -> {:stop, reason, state}
    end
  end

  # A linked process that ends with an error ends this one, as it would if exits were not trapped.
  def handle_info({:EXIT, pid, reason}, state) when is_pid(pid) and reason != :normal do
    {:stop, reason, state}
  end

  def handle_info(message, %{session: session} = state) when session != nil do
    case Port.event(session, message) do
      {:ok, event} -> handle_event(event, state)
      :error -> {:noreply, state}
    end
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp handle_event({:frame, {:stdout, data}}, state),
    do: {:noreply, output(state, :stdout, data)}

  defp handle_event({:frame, {:stderr, data}}, state),
    do: {:noreply, output(state, :stderr, data)}

  defp handle_event({:frame, {:input_ack, _count}}, state), do: {:noreply, state}

  defp handle_event({:frame, {:exited, report}}, state) do
    state = exited(state)
    {:stop, exit_reason(report.exit_status, state.options), state}
  end

  defp handle_event({:frame, _unexpected}, state), do: lost(state, nil)
  defp handle_event({:lost, exit_status}, state), do: lost(state, exit_status)

  defp lost(state, exit_status) do
    error = Port.lost(state.session, exit_status)
    {:stop, error, log_rest(%{state | session: nil})}
  end

  defp output(state, stream, data) do
    {lines, buffer} = LineBuffer.push(state.lines, data)
    state = State.count(state, stream, byte_size(data))
    log(%{state | lines: buffer}, lines)
  after
    # Only now, so that the program waits for slow logging. But also when logging failed: terminate/2
    # has yet to see the rest of the output.
    Port.ack(state.session, byte_size(data))
  end

  defp log_rest(state) do
    {lines, buffer} = LineBuffer.flush(state.lines)
    log(%{state | lines: buffer}, lines)
  end

  defp log(%{log: nil} = state, _lines), do: state

  defp log(%{log: log} = state, lines) do
    Enum.each(lines, log)
    %{state | line_count: state.line_count + length(lines)}
  end

  defp exited(state) do
    Port.close(state.session)
    log_rest(%{state | session: nil})
  end

  defp exit_reason(0, _options), do: :normal
  defp exit_reason(_status, %{exit_status_to_reason: nil}), do: :error_exit_status
  defp exit_reason(status, %{exit_status_to_reason: to_reason}), do: to_reason.(status)

  @impl GenServer
  def terminate(_reason, %{session: nil, waiter: nil}), do: :ok

  def terminate(_reason, %{session: nil, waiter: waiter}) do
    Process.unlink(waiter)
    Process.exit(waiter, :kill)
    :ok
  end

  def terminate(_reason, %{session: session} = state) do
    Port.stop(session)
    await_exited(state)
  catch
    # Code of the user that cannot handle the output must not keep the program alive.
    kind, reason ->
      Port.abandon(session)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp await_exited(state) do
    {event, session} = Port.next(state.session)

    case handle_event(event, %{state | session: session}) do
      {:noreply, state} -> await_exited(state)
      {:stop, _reason, _state} -> :ok
    end
  end
end
