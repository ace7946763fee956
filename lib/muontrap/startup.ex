# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Startup do
  @moduledoc false

  # Starts the application on demand, for programs that have not started it: Mix tasks, scripts, and
  # projects that depend on it with `runtime: false`. Starts the processes of programs, too.

  alias MuonTrap.{Deadline, Label, Options}
  alias MuonTrap.Options.{Arguments, Stop}

  # Starting takes a millisecond. It never returns while the BEAM, or the application that depends
  # on this one, is being stopped.
  @timeout_ms 5_000

  # Killing and reaping take milliseconds, and draining the output takes as long as the logging of
  # what is in the pipes.
  @shutdown_margin_ms 5_000

  # The initial heap, in machine words, has room for the garbage of a start, most of which is the list of all variables of
  # the environment. A heap that grows to that size is copied ten times.
  @spawn_opt [min_heap_size: 4_000]

  # The longest timeout of `receive`, and so of a supervisor.
  @longest_shutdown_ms 0xFFFFFFFF

  @doc """
  Starts the application if it is not running, and waits for that until `deadline` at most. Reports no error: the
  functions that need the application do.
  """
  @spec ensure_started(Deadline.t()) :: :ok
  def ensure_started(deadline \\ :infinity) do
    if Process.whereis(MuonTrap.Supervisor) || stopping?(),
      do: :ok,
      else: deadline |> Deadline.remaining() |> min(@timeout_ms) |> start()
  end

  defp stopping?, do: match?({:stopping, _status}, :init.get_status())

  # In another process, so that it can be given up.
  defp start(timeout) do
    {pid, monitor} = :proc_lib.spawn_opt(__MODULE__, :init, [], [:monitor])

    receive do
      {:DOWN, ^monitor, :process, ^pid, _reason} -> :ok
    after
      timeout ->
        Process.demonitor(monitor, [:flush])
        :ok
    end
  end

  @doc false
  @spec init() :: :ok
  def init do
    Label.set("MuonTrap: starts the application")
    _started_or_not = Application.ensure_all_started(:muontrap)
    :ok
  end

  @doc """
  Starts a GenServer with options that have a name. Its `init/1` gets `{starter, ref, options}`, and reports an error by
  `report/3` and `:ignore`: with `{:stop, reason}`, the starter would also get an exit signal.
  """
  @spec start_link(module(), Options.t()) :: {:ok, pid()} | {:error, term()}
  def start_link(server, options) do
    name = if options.name, do: [name: options.name], else: []
    ref = make_ref()

    case GenServer.start_link(server, {self(), ref, options}, [{:spawn_opt, @spawn_opt} | name]) do
      :ignore -> {:error, receive_reason(ref, nil)}
      # With a `:via` name, its module may have failed after the message was sent.
      {:error, reason} -> {:error, receive_reason(ref, reason)}
      {:ok, pid} -> await_ready(pid, ref, options)
    end
  end

  # It also reports by `{ref, :ready}`, or by `{ref, {:error, reason}}` when the link is gone.
  defp await_ready(pid, ref, %{start: :when_ready}) do
    monitor = Process.monitor(pid)

    receive do
      {^ref, :ready} ->
        Process.demonitor(monitor, [:flush])
        {:ok, pid}

      {^ref, {:error, reason}} ->
        # Its name is free then.
        receive do
          {:DOWN, ^monitor, :process, ^pid, _reason} -> {:error, reason}
        end

      # It was killed.
      {:DOWN, ^monitor, :process, ^pid, reason} ->
        flush_exit(pid)
        {:error, reason}
    end
  end

  defp await_ready(pid, _ref, _options), do: {:ok, pid}

  # A caller that traps exits gets no exit signal from a daemon that has not started.
  defp flush_exit(pid) do
    Process.unlink(pid)

    receive do
      {:EXIT, ^pid, _reason} -> :ok
    after
      0 -> :ok
    end
  end

  defp receive_reason(ref, otherwise) do
    receive do
      {^ref, pid, reason} ->
        # Before OTP 26, a caller that traps exits gets `{:EXIT, pid, :normal}`.
        flush_exit(pid)
        reason
    after
      0 -> otherwise
    end
  end

  @doc "Called in `init/1`: tells the starter why there is no such GenServer."
  @spec report(pid(), reference(), term()) :: :ok
  def report(starter, ref, reason) do
    send(starter, {ref, self(), reason})
    :ok
  end

  @doc "The child specification for `[command, args]` or `[command, args, opts]` of a module."
  @spec child_spec(module(), term()) :: Supervisor.child_spec()
  def child_spec(module, [command, args]) when not is_tuple(command),
    do: child_spec(module, [command, args, []])

  def child_spec(module, [command, args, opts]) when not is_tuple(command) do
    Arguments.check("#{inspect(module)}.child_spec/1", command, args, opts)

    %{
      id: module,
      # Supervisors log the arguments.
      start: {module, :start_link, [command, args, Options.hide_secrets(opts)]},
      type: :worker,
      restart: :permanent,
      # start_link/3 reports a wrong value.
      shutdown: min(Stop.milliseconds(opts) + @shutdown_margin_ms, @longest_shutdown_ms)
    }
  end

  def child_spec(module, other), do: raise(Arguments.invalid_child_spec(module, other))
end
