# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon do
  @moduledoc """
  Runs a long-lived program under a supervisor.

  The program lives as long as its daemon: when the daemon stops or dies, for whatever reason, the
  program and all its descendants end; when the program ends, the daemon stops.

      children = [
        {MuonTrap.Daemon, ["my_server", ["--port", "8080"], [log_output: :info]]}
      ]

      Supervisor.start_link(children, strategy: :one_for_one)

  The list contains the arguments of `start_link/3`; the options may be left out. The id of a daemon is
  `MuonTrap.Daemon` by default, so that several daemons under one supervisor need an id each:

      Supervisor.child_spec({MuonTrap.Daemon, ["my_server", []]}, id: :my_server)

  ## Options

  #{MuonTrap.Options.Docs.options(:daemon, :cmd)}

  ## Output

  Output is handled by lines and by chunks:

    * `:log_output` logs the lines at a level, and `:log_stderr` those of stderr at another one
    * `:logger_fun` gets the lines instead of `Logger`
    * `:output_fun` gets the chunks as they come, for output that does not consist of lines

  Lines end with `\\n` or `\\r\\n`, which are not part of them. The lines of two captured streams are kept
  apart, so that each is whole. An unterminated last line is handled when the program ends. A program that
  writes faster than its output is handled has to wait.

  `:stdout` and `:stderr` say where the output goes, see "Output" in `MuonTrap`. Without them, stdout is
  captured if one of these options handles it, and goes to `/dev/null` otherwise; stderr goes where that of
  the BEAM goes, unless `:log_stderr`, or a function of two arguments, handles it. What is captured and not
  handled is read and counted.

  A daemon runs until it is stopped, and does not collect output. So it has no `:timeout`, `:idle_timeout`
  and `:max_output_bytes`.

  ## What else is logged

  A daemon logs how its program ended, also without `:log_output`. The metadata are those of the
  daemon's process: `:logger_metadata`, `muontrap_cmd` and `muontrap_args`.

  | message | level |
  |---|---|
  | `my_server: Process exited successfully` | `:info` |
  | `my_server: Process exited with status 3` | `:error` |
  | `my_server: Process exited with status 137 (SIGKILL)` | `:error` |
  | a hint, if it exited with status 0 and left processes behind | `:warning` |
  | that there is no such program, and where it was looked for | `:error` |
  | that it was not ready in time, or has given no sign of life | `:error` |

  This turns off all of them, or with `:error` in place of `:none` all except errors:

      Logger.put_module_level(MuonTrap.Daemon.Events, :none)

  OTP reports a daemon that stops with an error, as it does for every process under a supervisor.

  ## Ready and alive

  `:ready` says when the program can be used. `await_ready/2` waits for that, and with `start: :when_ready`,
  `start_link/3` does, so that a supervisor starts the next child only then. `:watchdog` stops a program that gives no
  sign of life. In both cases the daemon stops with a `MuonTrap.Error`, whose step is `:ready` or `:watchdog`.

      {MuonTrap.Daemon, ["postgres", ["-D", data], [ready: {:tcp, 5432}, start: :when_ready]]}
      {MuonTrap.Daemon, ["my_server", [], [ready: :notify, watchdog: 60_000]]}

  [Supervising a program](supervision.md#ready) has the details.

  ## When the program ends

  Run servers in the foreground. A server that puts itself in the background (a daemon in the Unix sense)
  forks and exits, and MuonTrap takes this as the end of the program: it kills the child, the daemon stops
  with `:normal`, and its supervisor restarts it, until it reaches its limit of restarts. Most servers have
  an option for the foreground:

      {MuonTrap.Daemon, ["nginx", ["-g", "daemon off;"]]}
      {MuonTrap.Daemon, ["sshd", ["-D", "-e"], [stderr: :to_stdout, log_output: :info]]}
      {MuonTrap.Daemon, ["dnsmasq", ["--keep-in-foreground"]]}

  After exit status 0, the daemon stops with the reason `:normal`. After any other exit status, or a
  signal (exit status 128 + n for signal n), it stops with `:error_exit_status`, or with the reason that
  `:exit_status_to_reason` returns. So a supervisor always restarts a `:permanent` daemon, restarts a
  `:transient` one after an error, and never restarts a `:temporary` one.

  If the helper, `muontrap`, is killed, the program dies with it, and the daemon stops with a
  `MuonTrap.Error` whose step is `:helper`.

  If one of the functions in the options fails, the program is stopped, its further output is discarded,
  and the daemon stops with that error. Until such a function returns, the daemon does nothing else: calls
  such as `info/1` exit with a timeout after 5 seconds, and a supervisor that shuts it down kills it after the
  shutdown time, and the program ends with it.

  ## Restarts

  A supervisor restarts a daemon at once, and gives up, by default, when it has done so for the fourth time in 5
  seconds. A program that fails at its start does that within milliseconds, and takes the supervisor and all of its
  children down. With `:restart_delay`, the daemon waits after the end of its program before it stops:

      {MuonTrap.Daemon, ["my_server", [], [restart_delay: 2_000]]}
      {MuonTrap.Daemon, ["my_server", [], [restart_delay: [min: 500, max: 30_000, factor: 2]]]}

  [Supervising a program](supervision.md#restarts) says how that fits together with the limits of a supervisor.

  ## When the daemon stops

  `Supervisor.terminate_child/2`, `GenServer.stop/1` and the shutdown of a supervisor return when the
  program and all its descendants are gone and its last output has been logged. The program first gets
  the stop signal (`:stop_signal`), and SIGKILL after `:delay_to_sigkill`, or the signals in `:stop`, one
  after the other. The shutdown time in `child_spec/1` is 5 seconds longer than that.

  Of a shell that runs a server, only the shell gets the signals, and the server is killed as soon as the
  shell is gone. Write `sh -c "exec server"`, so that the server takes the place of the shell, or use
  `stop_scope: :all`.

  A daemon that is killed (`Process.exit(pid, :kill)`) cannot wait, but its program is stopped in the
  same way. A new daemon with the same command and arguments waits until it is gone, so that two copies
  of the program never run at the same time.

  A call of a daemon that has stopped, or stops meanwhile, exits as `GenServer.call/3` does, with `:noproc` or the
  daemon's reason, except where a function below returns that as an error.
  """

  alias MuonTrap.Daemon.{CgroupCall, Events, Server}
  alias MuonTrap.{Caller, Error, Options, Startup}
  alias MuonTrap.Options.{Pty, Signals}

  @typedoc "The name of a file of a cgroup, of cgroup v1 or v2, such as `\"memory.max\"`."
  @type variable :: String.t()

  @typedoc "The result of `statistics/1`."
  @type statistics :: %{
          output_byte_count: non_neg_integer(),
          stdout_byte_count: non_neg_integer(),
          stderr_byte_count: non_neg_integer(),
          line_count: non_neg_integer(),
          uptime_ms: non_neg_integer(),
          cgroup: %{optional(String.t()) => term()}
        }

  @doc """
  Returns the child specification for `[command, args]` or `[command, args, opts]`.

  The values of `:env` and the data of `:input` are hidden in it, so that no supervisor logs them.

  The id is `MuonTrap.Daemon`. The shutdown time in milliseconds is the sum of those in `:stop`, or
  `:delay_to_sigkill` (500 by default), plus 5000 for killing what is left and logging the last output,
  and at most 4294967295.

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
  @spec child_spec(nonempty_list()) :: Supervisor.child_spec()
  def child_spec(arguments), do: Startup.child_spec(__MODULE__, arguments)

  @doc """
  Starts a daemon, linked to the caller, and returns when its program is running.

  With `:wait_for` it returns at once, and the program is started later. With `start: :when_ready` it returns when the
  program is ready, also with `:wait_for`.

  Raises `ArgumentError` for invalid arguments and options. Returns `{:error, reason}` if the program
  cannot be started:

    * `:enoent` - there is no such program
    * `:eacces` - it is not executable
    * `{:already_started, pid}` - the name is taken
    * a `MuonTrap.Error` - anything else that keeps it from being started, or from being ready with `start: :when_ready`
    * another reason - with `start: :when_ready`, that of a function in the options that has failed

  In these cases, the caller gets no exit signal. If the program cannot be started after `:wait_for` has
  returned, the daemon stops with the same reason.

  ## Examples

      iex> {:ok, pid} = MuonTrap.Daemon.start_link("sleep", ["60"])
      iex> is_integer(MuonTrap.Daemon.program_os_pid(pid))
      true
      iex> GenServer.stop(pid)
      :ok

      iex> MuonTrap.Daemon.start_link("no_such_program", [])
      {:error, :enoent}
  """
  @spec start_link(binary(), [binary()], [Options.daemon_option()]) ::
          {:ok, pid()}
          | {:error, :enoent | :eacces | {:already_started, pid()} | Error.t() | term()}
  def start_link(command, args, opts \\ []) do
    options = Options.new(:daemon, command, args, opts)

    # With :wait_for, the session is opened later. A wrong name is reported at once all the same.
    if options.wait_for == nil or Options.program(command) != nil do
      Startup.start_link(Server, options)
    else
      Events.not_found(command, args, opts)
      {:error, :enoent}
    end
  end

  @doc """
  Returns the operating-system pid of the helper's process that runs the program, or `:error` while
  there is none.

  Killing this process kills the program. To send the program a signal, use `program_os_pid/1`.
  """
  @spec os_pid(GenServer.server()) :: pos_integer() | :error
  def os_pid(server), do: GenServer.call(server, :os_pid)

  @doc "Returns the operating-system pid of the program, or `:error` while there is none."
  @spec program_os_pid(GenServer.server()) :: pos_integer() | :error
  def program_os_pid(server), do: GenServer.call(server, :program_os_pid)

  @doc """
  Writes to the program's stdin, as `MuonTrap.Process.write/3` does.

  Returns when all of the data was written to the pipe that the program reads from, or `{:error, :closed}` or
  `{:error, :timeout}`. Before the program is started, with `:wait_for`, it waits for that.

  Functions in the options of the daemon run in the daemon, and cannot call it.

  ## Examples

      iex> {:ok, daemon} = MuonTrap.Daemon.start_link("cat", [], log_output: :debug)
      iex> MuonTrap.Daemon.write(daemon, "hello\\n")
      :ok
      iex> MuonTrap.Daemon.info(daemon).input_bytes
      6
      iex> GenServer.stop(daemon)
      :ok
  """
  @spec write(GenServer.server(), iodata(), timeout()) :: :ok | {:error, :closed | :timeout}
  def write(server, data, timeout \\ :infinity) do
    request = {:write, :erlang.iolist_to_iovec(data), Caller.timeout!(timeout)}
    Caller.call(server, request, {__MODULE__, :write})
  end

  @doc """
  Closes the program's stdin, after the writes that have been called so far. The program sees the end of file.
  """
  @spec close_input(GenServer.server()) :: :ok
  def close_input(server), do: Caller.call(server, :close_input, {__MODULE__, :close_input})

  @doc """
  Sends a signal to the program: a number from 1 to 64, or a name such as `:sighup`, `:SIGHUP` or `"HUP"`.

  It goes to the program alone, not to its children. Returns `{:error, :not_started}` before there is a program, with
  `:wait_for`, and `{:error, :exited}` after it has ended, with `:restart_delay`. If the program ends because of the signal,
  the daemon stops as if the program had ended by itself.
  """
  @spec signal(GenServer.server(), 1..64 | atom() | String.t()) ::
          :ok | {:error, :not_started | :exited}
  def signal(server, signal), do: GenServer.call(server, {:signal, Signals.number!(signal)})

  @doc """
  Changes the size of the terminal of a program with `:pty`: rows and columns, 1 to 65535. The program gets SIGWINCH if
  that is another size.

  Returns `{:error, :no_pty}` without `:pty`, and `{:error, :not_started}` while there is no program.
  """
  @spec resize(GenServer.server(), 1..65_535, 1..65_535) ::
          :ok | {:error, :no_pty | :not_started}
  def resize(server, rows, cols) do
    Pty.check_size!(rows, cols)
    GenServer.call(server, {:resize, rows, cols})
  end

  @doc """
  Waits until the program is ready, see "Ready and alive" above, for `timeout` milliseconds at most.

  Returns `{:error, :timeout}` after that, and `{:error, reason}` if the daemon stops before: its reason, or a
  `MuonTrap.Error` with the step `:ready` for a program that has ended by itself. Any number of processes may wait.

  ## Examples

      iex> opts = [ready: {:line, ~r/^listening/}]
      iex> script = "echo listening on port 80; exec sleep 60"
      iex> {:ok, daemon} = MuonTrap.Daemon.start_link("sh", ["-c", script], opts)
      iex> MuonTrap.Daemon.await_ready(daemon)
      :ok
      iex> GenServer.stop(daemon)
      :ok
  """
  @spec await_ready(GenServer.server(), timeout()) :: :ok | {:error, :timeout | term()}
  def await_ready(server, timeout \\ :infinity) do
    request = {:await_ready, Caller.timeout!(timeout)}
    Caller.call(server, request, {__MODULE__, :await_ready})
  end

  @doc """
  Returns what the program has told about itself:

    * `:ready` - whether it is ready
    * `:status` - the text of the last `STATUS=`, or `nil`
    * `:main_pid` - the number in the last `MAINPID=`, or `nil`. MuonTrap makes no use of it
    * `:stopping` - whether it has sent `STOPPING=1`

  All but the first need `ready: :notify`.
  """
  @spec status(GenServer.server()) :: %{
          ready: boolean(),
          status: binary() | nil,
          main_pid: pos_integer() | nil,
          stopping: boolean()
        }
  def status(server), do: GenServer.call(server, :status)

  @doc """
  Returns what is known about the program: a map with the same keys as that of `MuonTrap.Process.info/1`. The pids are
  `nil` while there is no program. Nothing in it is from the environment.
  """
  @spec info(GenServer.server()) :: MuonTrap.Process.info()
  def info(server), do: GenServer.call(server, :info)

  @doc """
  Returns counts of what the daemon has handled so far:

    * `:output_byte_count` - bytes of output, of both streams
    * `:stdout_byte_count`, `:stderr_byte_count` - bytes of each stream; merged streams count as stdout
    * `:line_count` - lines logged, or passed to `:logger_fun`; a piece of a long line counts as one
    * `:uptime_ms` - milliseconds since the program was started; 0 before that
    * `:cgroup` - the resources that the program's cgroup has used, by file. Empty without a cgroup, and
      when the kernel does not answer within 4 seconds

  Output is counted only if it is read: see "Output" above.

  The files in `:cgroup` have the names and units of cgroup v2 on every host, such as `"memory.current"`,
  `"pids.peak"`, and maps such as `"cpu.stat"` and `"memory.events"`: see [Control groups](cgroups.md#statistics).
  """
  @spec statistics(GenServer.server()) :: statistics()
  def statistics(server), do: GenServer.call(server, :statistics)

  @doc """
  Returns the path of the program's cgroup, from the root of the hierarchy: `:cgroup_path` as it was
  given, or the new group below `:cgroup_base`, whose name is chosen before `:wait_for` is called. `nil`
  without a cgroup.
  """
  @spec cgroup_path(GenServer.server()) :: String.t() | nil
  def cgroup_path(server), do: GenServer.call(server, :cgroup_path)

  @doc """
  Returns the current settings of the program's cgroup, in the form of the option `:cgroup`.

  Values are integers (bytes, weights, numbers of processes), `:max`, `{quota, period}` in microseconds,
  booleans, lists of CPUs such as `"0-1"`, or maps by device, see the option `:cgroup` of
  `MuonTrap.cmd/3`. Settings that the host or the cgroup does not have are left out. The map is empty
  without a cgroup.

  Raises `MuonTrap.Error` if the cgroup cannot be read.
  """
  @spec cgroup_config(GenServer.server()) :: %{optional(atom()) => term()}
  def cgroup_config(server), do: server |> GenServer.call(:cgroup_config) |> CgroupCall.ok!()

  @doc """
  Reads a file of the program's cgroup. The value is without the newline at the end.

  The name may be one of cgroup v1 or v2, whichever the host has, and the value has the format that
  belongs to the name: without a limit, `"memory.max"` is `"max"` and `"memory.limit_in_bytes"` is
  `"9223372036854771712"`, on both.

  Returns `{:error, reason}` with one of these:

    * `:enoent` - the host has no such file and no equivalent, the cgroup does not have the controller,
      or the daemon has no cgroup
    * another error as in `t:File.posix/0` - the error of the kernel
    * a `MuonTrap.Error` - the helper could not be run, or did not answer within 4 seconds

  The error that `cgget!/2` raises has more details. The daemon goes on with its work meanwhile.
  """
  @spec cgget(GenServer.server(), variable()) ::
          {:ok, String.t()} | {:error, File.posix() | Error.t()}
  def cgget(server, variable), do: server |> CgroupCall.get(nil, variable) |> CgroupCall.posix()

  @doc """
  Reads a file of the program's cgroup as `cgget/2` does. `controller` selects the hierarchy on cgroup
  v1; only files that every hierarchy has need it, such as `"cgroup.procs"`.
  """
  @spec cgget(GenServer.server(), String.t(), variable()) ::
          {:ok, String.t()} | {:error, File.posix() | Error.t()}
  def cgget(server, controller, variable),
    do: server |> CgroupCall.get(controller, variable) |> CgroupCall.posix()

  @doc "Reads a file as `cgget/2` does, but returns only the value, and raises `MuonTrap.Error` for any error."
  @spec cgget!(GenServer.server(), variable()) :: String.t()
  def cgget!(server, variable), do: server |> CgroupCall.get(nil, variable) |> CgroupCall.ok!()

  @doc """
  Writes to a file of the program's cgroup. Names and the format of the value are as for `cgget/2`; the
  value may also be an integer.

  Returns `{:error, reason}` as `cgget/2` does: `:einval` for a value that the kernel does not
  accept, `:erange` for one out of range, `:eacces` or `:eperm` without permission, `:ebusy` for a
  limit below the current usage (v1). The error that `cgset!/3` raises has more details.
  """
  @spec cgset(GenServer.server(), variable(), String.t() | integer()) ::
          :ok | {:error, File.posix() | Error.t()}
  def cgset(server, variable, value),
    do: server |> CgroupCall.set(nil, variable, value) |> CgroupCall.posix()

  @doc "Writes to a file of the program's cgroup as `cgset/3` does. `controller` is as for `cgget/3`."
  @spec cgset(GenServer.server(), String.t(), variable(), String.t() | integer()) ::
          :ok | {:error, File.posix() | Error.t()}
  def cgset(server, controller, variable, value),
    do: server |> CgroupCall.set(controller, variable, value) |> CgroupCall.posix()

  @doc """
  Writes to a file as `cgset/3` does, but raises `MuonTrap.Error` for any error. The error has the path
  of the file, the error of the kernel as `:errno`, and a message with the value.
  """
  @spec cgset!(GenServer.server(), variable(), String.t() | integer()) :: :ok
  def cgset!(server, variable, value) do
    with {:error, error} <- CgroupCall.set(server, nil, variable, value), do: raise(error)
  end
end
