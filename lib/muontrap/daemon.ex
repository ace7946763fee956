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

  #{MuonTrap.Options.Docs.options(:daemon, :cmd)}
  ## Output

  The output is only read when `:log_output` or `:logger_fun` asks for it; otherwise stdout goes to
  `/dev/null`, and stderr where that of the BEAM goes, or with `:capture_stderr_only` nowhere: it is
  counted alone. Lines end with `\\n` or `\\r\\n`, which are not
  part of what is logged. What follows the last one is logged when the program ends. A program that
  writes faster than the lines are logged has to wait.

  ## What else is logged

  How the program ended, also without `:log_output`, and with the metadata of the daemon
  (`:logger_metadata`, `muontrap_cmd` and `muontrap_args`, which are those of its process):

  | message | level |
  |---|---|
  | `my_server: Process exited successfully` | `:info` |
  | `my_server: Process exited with status 3` | `:error` |
  | `my_server: Process exited with status 137 (SIGKILL)` | `:error` |
  | a hint, when it exited with status 0 and left processes behind | `:warning` |
  | that there is no such program, and where it was looked for | `:error` |

  This turns them off, or with `:error` in place of `:none` all but the errors:

      Logger.put_module_level(MuonTrap.Daemon.Events, :none)

  OTP reports a daemon that stops with an error, as it does for every process under a supervisor.

  ## When the program ends

  Run servers in the foreground. One that puts itself in the background (a daemon in the sense of Unix)
  starts a copy of itself and exits, and for MuonTrap that is its end: the copy is killed, the daemon stops
  with `:normal`, and a supervisor starts it anew, until it gives up. Most servers have an option for it:

      {MuonTrap.Daemon, ["nginx", ["-g", "daemon off;"]]}
      {MuonTrap.Daemon, ["sshd", ["-D", "-e"], [stderr_to_stdout: true, log_output: :info]]}
      {MuonTrap.Daemon, ["dnsmasq", ["--keep-in-foreground"]]}

  With exit status 0, the daemon stops with the reason `:normal`. With any other, or by a signal
  (exit status 128 + n for signal n), it stops with `:error_exit_status`, or with what
  `:exit_status_to_reason` makes of it. So a supervisor restarts a `:permanent` daemon always, a
  `:transient` one after an error, and a `:temporary` one never.

  If the helper, `muontrap`, is killed, the program dies with it, and the daemon stops with a
  `MuonTrap.Error` with the step `:helper`.

  When one of the functions in the options fails, the program is stopped, output that is yet to come is
  thrown away, and the daemon stops with that error. While one does not return, the daemon does nothing
  else: a supervisor that shuts it down kills it when the shutdown time is over, and the program goes
  with it.

  ## When the daemon stops

  `Supervisor.terminate_child/2`, `GenServer.stop/1` and the shutdown of a supervisor return when the
  program and all of its descendants are gone, and its last output is logged. The program gets the
  stop signal first (`:stop_signal`), and SIGKILL after `:delay_to_sigkill`. `child_spec/1` gives the
  daemon 5 seconds more than that for a shutdown.

  A daemon that is killed (`Process.exit(pid, :kill)`) cannot wait, but its program is stopped in the
  same way. A new daemon with the same command and arguments waits for that, so that two copies of
  the program never overlap.
  """

  alias MuonTrap.{Error, Options}
  alias MuonTrap.Daemon.{Events, Server}
  alias MuonTrap.Options.Mistake

  # Killing and reaping take milliseconds, and draining the output takes as long as the logging of
  # what is in the pipes.
  @shutdown_margin_ms 5_000

  # What `receive` takes, and so a supervisor.
  @longest_shutdown_ms 0xFFFFFFFF

  @typedoc "The name of a file of a cgroup, in the words of v1 or v2, such as `\"memory.max\"`."
  @type variable :: String.t()

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

  The values of `:env` are hidden in it, so that no supervisor logs them.

  The id is `MuonTrap.Daemon`. The shutdown time is `:delay_to_sigkill` (500 ms by default) and 5
  seconds for killing what is left and logging the last output, but no more than 4294967295.

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
  def child_spec([command, args]) when not is_tuple(command),
    do: child_spec([command, args, []])

  def child_spec([command, args, opts]) when not is_tuple(command) do
    Mistake.check_arguments(:child_spec, command, args, opts)

    %{
      id: __MODULE__,
      # Supervisors log it.
      start: {__MODULE__, :start_link, [command, args, Options.hide_secrets(opts)]},
      type: :worker,
      restart: :permanent,
      shutdown: min(delay_to_sigkill(opts) + @shutdown_margin_ms, @longest_shutdown_ms)
    }
  end

  def child_spec(other), do: raise(Mistake.child_spec_argument(other))

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
  @spec start_link(binary(), [binary()], [Options.daemon_option()]) ::
          {:ok, pid()} | {:error, :enoent | :eacces | {:already_started, pid()} | Error.t()}
  def start_link(command, args, opts \\ []) do
    options = Options.new(:daemon, command, args, opts)

    # A mistake in a name is told at once.
    if options.wait_for == nil or Options.program(command) != nil do
      start_server(options)
    else
      Events.not_found(command, args, opts)
      {:error, :enoent}
    end
  end

  defp start_server(options) do
    name = if options.name, do: [name: options.name], else: []
    ref = make_ref()

    # An error told in this way, instead of by init/1's {:stop, reason}, does not come with an
    # exit signal that would end a caller who means to look at it.
    case GenServer.start_link(Server, {self(), ref, options}, name) do
      :ignore -> {:error, told(ref, nil)}
      # It may have been told, and have died then, in the module of a `:via` name.
      {:error, reason} -> {:error, told(ref, reason)}
      {:ok, pid} -> {:ok, pid}
    end
  end

  defp told(ref, otherwise) do
    receive do
      {^ref, reason} -> reason
    after
      0 -> otherwise
    end
  end

  @doc """
  The pid of the helper, the process `muontrap` that runs the program; `:error` while there is none.

  Killing this process kills the program. To send the program a signal, use `program_os_pid/1`.
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
    * `:cgroup` - what the program's cgroup has used, by file. Empty without a cgroup, and when the
      kernel does not answer within 4 seconds

  Output is only counted when it is read at all: see "Output" above.

  The files of `:cgroup` have the names and units of cgroup v2 on every kind of host. A file of one
  number is an integer: `"memory.current"`, `"memory.peak"`, `"memory.swap.current"` (bytes),
  `"pids.current"`, `"pids.peak"`. A file of keys is a map: `"cpu.stat"` with `"usage_usec"` and others
  (microseconds), `"memory.stat"` (on v1 with the keys of v1), `"memory.events"` with `"oom_kill"`,
  `"pids.events"`, `"cgroup.events"`, `"cgroup.stat"`. A file of keys for each device, or each kind of
  pressure, is a map of maps: `"io.stat"`, `"cpu.pressure"`, `"memory.pressure"`, `"io.pressure"`. There are only those
  whose controller the cgroup has, and whose kernel knows them. See [docs/cgroups.md](cgroups.html).
  """
  @spec statistics(GenServer.server()) :: statistics()
  def statistics(server), do: GenServer.call(server, :statistics)

  @doc """
  The path of the program's cgroup, from the root of the hierarchy: `:cgroup_path` as it was given, or
  the new group below `:cgroup_base`, which is known before `:wait_for` has returned. `nil` without a
  cgroup.
  """
  @spec cgroup_path(GenServer.server()) :: String.t() | nil
  def cgroup_path(server), do: GenServer.call(server, :cgroup_path)

  @doc """
  The settings of the program's cgroup as they are now, in a map that the option `:cgroup` takes.

  Values are integers (bytes, weights, numbers of processes), `:max`, `{quota, period}` in microseconds,
  booleans, lists of CPUs such as `"0-1"`, or maps by device, see the option `:cgroup` of
  `MuonTrap.cmd/3`. Settings that the host or the cgroup does not have are left out. The map is empty
  without a cgroup.

  Raises `MuonTrap.Error` when the cgroup cannot be read.
  """
  @spec cgroup_config(GenServer.server()) :: %{optional(atom()) => term()}
  def cgroup_config(server), do: server |> GenServer.call(:cgroup_config) |> ok!()

  @doc """
  Reads a file of the program's cgroup, without the newline at its end.

  The name is from cgroup v1 or v2, whichever the host has, and the value is in the words of the name:
  `"memory.max"` is `"max"` and `"memory.limit_in_bytes"` is `"9223372036854771712"` where there is no
  limit, on both.

  Returns `{:error, reason}` with one of these:

    * `:enoent` - there is no such file and nothing like it, its controller was not asked for, or the
      daemon has no cgroup
    * another error as in `t:File.posix/0` - what the kernel said
    * a `MuonTrap.Error` - the helper could not be run, or did not answer within 4 seconds

  `cgget!/2` tells more. The daemon is not held up meanwhile.
  """
  @spec cgget(GenServer.server(), variable()) ::
          {:ok, String.t()} | {:error, File.posix() | Error.t()}
  def cgget(server, variable), do: server |> read(nil, variable) |> posix()

  @doc """
  Reads a file of the program's cgroup as `cgget/2` does. `controller` says where to look on cgroup v1;
  only files that each hierarchy has need it, such as `"cgroup.procs"`.
  """
  @spec cgget(GenServer.server(), String.t(), variable()) ::
          {:ok, String.t()} | {:error, File.posix() | Error.t()}
  def cgget(server, controller, variable), do: server |> read(controller, variable) |> posix()

  @doc "As `cgget/2`, but returns the value alone, and raises `MuonTrap.Error` for any error."
  @spec cgget!(GenServer.server(), variable()) :: String.t()
  def cgget!(server, variable), do: server |> read(nil, variable) |> ok!()

  @doc """
  Writes to a file of the program's cgroup. Names are as for `cgget/2`, and so is the value, which may
  be an integer, too.

  Returns `{:error, reason}` as `cgget/2` does: `:einval` for a value that the kernel does not
  understand, `:erange` for one out of range, `:eacces` or `:eperm` without permission, `:ebusy` for a
  limit below what is in use already (v1). `cgset!/3` tells more.
  """
  @spec cgset(GenServer.server(), variable(), String.t() | integer()) ::
          :ok | {:error, File.posix() | Error.t()}
  def cgset(server, variable, value), do: server |> write(nil, variable, value) |> posix()

  @doc "Writes to a file of the program's cgroup as `cgset/3` does. `controller` is as for `cgget/3`."
  @spec cgset(GenServer.server(), String.t(), variable(), String.t() | integer()) ::
          :ok | {:error, File.posix() | Error.t()}
  def cgset(server, controller, variable, value),
    do: server |> write(controller, variable, value) |> posix()

  @doc """
  As `cgset/3`, but raises `MuonTrap.Error` for any error: it has the path of the file, the error of
  the kernel as `:errno`, and a message with the value.
  """
  @spec cgset!(GenServer.server(), variable(), String.t() | integer()) :: :ok
  def cgset!(server, variable, value) do
    with {:error, error} <- write(server, nil, variable, value), do: raise(error)
  end

  defp read(server, controller, variable),
    do: GenServer.call(server, {:cgget, controller, variable})

  defp write(server, controller, variable, value),
    do: GenServer.call(server, {:cgset, controller, variable, value})

  defp posix({:error, %Error{step: step, errno: errno}}) when step != :helper and errno != nil,
    do: {:error, errno}

  defp posix(other), do: other

  defp ok!({:ok, value}), do: value
  defp ok!({:error, error}), do: raise(error)
end
