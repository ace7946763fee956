# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Process do
  @moduledoc """
  A handle on a running program: write to its stdin, and read what it answers.

  The program lives as long as its handle, which is a process linked to its owner, the one that called
  `start_link/3`. When the owner or the handle ends, for whatever reason, the program and all its descendants
  end, too.

      iex> {:ok, cat} = MuonTrap.Process.start_link("cat", [])
      iex> MuonTrap.Process.write(cat, "hello\\n")
      :ok
      iex> MuonTrap.Process.read(cat)
      {:ok, {:stdout, "hello\\n"}}
      iex> MuonTrap.Process.close_input(cat)
      :ok
      iex> MuonTrap.Process.read(cat)
      :eof
      iex> {:ok, result} = MuonTrap.Process.await_exit(cat)
      iex> {result.exit_status, result.input_bytes, result.stdout_bytes}
      {0, 6, 6}
      iex> MuonTrap.Process.stop(cat)
      {:ok, result}

  Use `MuonTrap.run/3` or `MuonTrap.stream!/3` for a program whose input is known when it is started, and
  `MuonTrap.Daemon` for a server whose output is only logged.

  ## Options

  #{MuonTrap.Options.Docs.options(:process, :cmd)}

  ## Reading

  A handle is passive at first: `read/2` and `read_line/2` take output in the order in which it has come. Several
  processes may read; they are served in the order of their calls. With `stderr: :capture`, output of both streams is
  read from the same handle, and each chunk says which stream it is of.

  At most `:stdio_window` bytes are on their way or wait in the handle. A program that writes more has to wait until
  they are read, so the memory that output takes is bounded. It also means that a program whose output nobody reads may
  never end. `stdout: :discard` is for output that is of no interest.

  The end of the output, `:eof`, comes when the program has ended and all of its output was read.

  ## Messages

  An active handle sends the output to its controlling process, which is the owner unless `controlling_process/2` has
  changed that:

    * `{:muontrap, process, {:stdout | :stderr, data}}` - a chunk of output
    * `{:muontrap, process, {:exit, result}}` - the program has ended, after all of its output. `result` is a
      `MuonTrap.Result`, whose `:output` is empty. The handle is passive from then on
    * `{:muontrap, process, :passive}` - the handle has become passive, after a number of chunks

  `process` is the pid of the handle. The option `:active`, and `setopts/2` later, choose among:

    * `false` - passive
    * `:once` - one message, and then passive. So the program waits for a slow consumer
    * a number - that many chunks, and then passive. Numbers add up, as with `:inet.setopts/2`
    * `true` - all output as it comes. The window then does not bound what waits in the mailbox

  A handle becomes passive when its controlling process ends, and the owner is its controlling process again.

  ## Terminals

  Shells, editors and whatever else asks for passwords or draws on the screen want a terminal. The option `:pty`, of all
  functions that run programs, gives them one:

      iex> script = "tty; read x; stty size"
      iex> {:ok, sh} = MuonTrap.Process.start_link("sh", ["-c", script], pty: [echo: false])
      iex> {:ok, {:stdout, "/dev/" <> _}} = MuonTrap.Process.read_line(sh)
      iex> MuonTrap.Process.resize(sh, 50, 132)
      :ok
      iex> MuonTrap.Process.write(sh, "\\n")
      :ok
      iex> MuonTrap.Process.read_line(sh)
      {:ok, {:stdout, "50 132"}}

  The terminal is stdin, stdout and stderr, and `/dev/tty`. It belongs to the user of `:uid`. These are its rules, and not
  those of MuonTrap:

    * There is one output, so `:stderr` cannot be apart. A newline comes out as carriage return and newline, unless the program
      changes that.
      `read_line/2` and `:lines` remove both.
    * Input comes out again, unless `echo: false` or the program changes that.
    * Keys are bytes: `write(sh, <<3>>)` is Ctrl-C, and interrupts what runs in the foreground; `<<26>>` is Ctrl-Z, for
      shells.
    * A program reads line by line, unless it changes that. Of a line of more than 4095 bytes, the rest is lost.
    * The end of input is a character, Ctrl-D, at the beginning of a line. `close_input/1`, and the end of `:input`, write
      it, and within a line they write it twice: once for the end of the line. It ends the input for one read: a program
      that reads again waits again, and one that does not read lines gets it as a key.
    * When the program ends, what it has started in the foreground gets SIGHUP, also with `orphans: :leave`.

  All output is complete, and nothing is left of the program, as without a terminal.

  ## The end

  A handle stays when its program has ended, so that the rest of the output can be read, and `await_exit/2` answers any
  number of times. `stop/2` ends it, and its owner's end does.

  With `stop_on_exit: true`, the handle stops when the program has ended and all of its output was read: with the reason
  `:normal` after exit status 0, and with `:error_exit_status` otherwise, as a `MuonTrap.Daemon` does.
  `child_spec/1` adds this option, so that a supervisor restarts the program:

      children = [{MuonTrap.Process, ["my_server", ["--stdio"], [name: MyServer]]}]

  The supervisor is then the owner. Often it is simpler to supervise a process of your own, that calls `start_link/3` in
  its `c:GenServer.init/1` with `active: true`, and stops when it gets `{:exit, result}`. So whatever it knows of the program
  ends with the program. If it traps exits and calls `stop/2` in its `c:GenServer.terminate/2`, its supervisor waits until
  the program is gone.

  If the session of the program is killed, the handle stops with a `MuonTrap.Error` as the reason, and so do calls
  that wait. A call of a handle that has stopped exits as `GenServer.call/3` does, with `:noproc`.

  Neither input nor output nor the environment is in a crash report of the handle or in `:sys.get_status/1`.
  """

  alias MuonTrap.Options.{Errors, Pty, Signals, Table, Type}
  alias MuonTrap.Process.Server
  alias MuonTrap.{Caller, Error, Options, Result, Startup}

  @typedoc "How output is delivered, see \"Messages\" above."
  @type active :: boolean() | :once | pos_integer()

  @type chunk :: {:stdout | :stderr, binary()}

  @typedoc """
  What `info/1` returns:

    * `:command`, `:args` - as they were given
    * `:os_pid`, `:program_os_pid` - the operating-system pids of the session, which is a process of muontrap, and of
      the program. The pids of a program that has ended may be those of other processes
    * `:cgroup_path` - the path of its cgroup, or `nil`
    * `:input_bytes` - bytes written to its stdin
    * `:stdout_bytes`, `:stderr_bytes` - bytes that have come from it, whether they were read or not
    * `:uptime_ms` - milliseconds since its start, or from its start to its end
    * `:exit_status`, `:signal` - as in `MuonTrap.Result`; `nil` while it runs
  """
  @type info :: %{
          command: binary(),
          args: [binary()],
          os_pid: pos_integer() | nil,
          program_os_pid: pos_integer() | nil,
          cgroup_path: String.t() | nil,
          input_bytes: non_neg_integer(),
          stdout_bytes: non_neg_integer(),
          stderr_bytes: non_neg_integer(),
          uptime_ms: non_neg_integer(),
          exit_status: 0..255 | nil,
          signal: 1..64 | nil
        }

  @doc """
  Returns the child specification for `[command, args]` or `[command, args, opts]`, with `stop_on_exit: true` unless
  the options say otherwise.

  The values of `:env` and the data of `:input` are hidden in it, so that no supervisor logs them. The shutdown time is
  that of `MuonTrap.Daemon.child_spec/1`.

  ## Examples

      iex> MuonTrap.Process.child_spec(["cat", []])
      %{
        id: MuonTrap.Process,
        start: {MuonTrap.Process, :start_link, ["cat", [], [stop_on_exit: true]]},
        type: :worker,
        restart: :permanent,
        shutdown: 5500
      }
  """
  @spec child_spec(nonempty_list()) :: Supervisor.child_spec()
  def child_spec([command, args]) when not is_tuple(command), do: child_spec([command, args, []])

  def child_spec([command, args, opts]) when not is_tuple(command) and is_list(opts) do
    opts =
      if List.keymember?(opts, :stop_on_exit, 0), do: opts, else: [{:stop_on_exit, true} | opts]

    Startup.child_spec(__MODULE__, [command, args, opts])
  end

  def child_spec(other), do: Startup.child_spec(__MODULE__, other)

  @doc """
  Starts a program, and a handle on it that is linked to the caller.

  Raises `ArgumentError` for invalid arguments and options. Returns `{:error, reason}` if the program cannot be started,
  without an exit signal:

    * `:enoent` - there is no such program
    * `:eacces` - it is not executable
    * `{:already_started, pid}` - the name is taken
    * a `MuonTrap.Error` - anything else

  ## Examples

      iex> MuonTrap.Process.start_link("no_such_program", [])
      {:error, :enoent}
  """
  @spec start_link(binary(), [binary()], [Options.process_option()]) ::
          {:ok, pid()} | {:error, :enoent | :eacces | {:already_started, pid()} | Error.t()}
  def start_link(command, args, opts \\ []) do
    options = Options.new(:process, command, args, opts)
    Startup.start_link(Server, options)
  end

  @doc """
  Writes to the program's stdin, and returns when all of it was written to the pipe that the program reads from.

  So it waits while the program does not read and the pipe is full (64 KiB on Linux). Writes of several processes are done
  one after the other, in the order of their calls.

  Returns `{:error, :closed}` if the program has closed its stdin or has ended, after `close_input/1`, and if stdin is no
  pipe. How much the program has taken is in `info/1`. Returns `{:error, :timeout}` if it takes more than `timeout`
  milliseconds. A part of the data may have been written, then.
  """
  @spec write(GenServer.server(), iodata(), timeout()) :: :ok | {:error, :closed | :timeout}
  def write(process, data, timeout \\ :infinity),
    do: call(process, {:write, :erlang.iolist_to_iovec(data), Caller.timeout!(timeout)}, :write)

  @doc """
  Closes the program's stdin, after the writes that have been called so far. The program sees the end of file.

  Returns at once. To close it once more does nothing.
  """
  @spec close_input(GenServer.server()) :: :ok
  def close_input(process), do: call(process, :close_input, :close_input)

  @doc """
  Reads the next chunk of output, and waits for it if there is none, for `timeout` milliseconds at most.

  Chunks are as the output has come: their limits mean nothing, except that none is empty. Returns `:eof` when the program
  has ended and all output was read, `{:error, :timeout}` after the timeout, and `{:error, :active}` if output goes
  to the controlling process. Nothing is lost after a timeout: the next read gets it.

  With `stop_on_exit: true`, the handle stops once the program has ended and all output was read. So only a read that
  waits at that time gets `:eof`; one after that exits, with `:noproc` as the reason if the handle has already stopped.
  """
  @spec read(GenServer.server(), timeout()) ::
          {:ok, chunk()} | :eof | {:error, :timeout | :active}
  def read(process, timeout \\ :infinity),
    do: call(process, {:read, :chunk, Caller.timeout!(timeout)}, :read)

  @doc """
  Reads the next line, without the newline, or carriage return and newline, at its end. Otherwise it is as `read/2`.

  Lines of the two streams are kept apart. A line is whole however long it is, and need not fit into the window. The last
  line may lack a newline. A `read/2` after a timeout gets the part of the line that has come.

  ## Examples

      iex> {:ok, sh} = MuonTrap.Process.start_link("sh", ["-c", "echo one; printf two"])
      iex> MuonTrap.Process.read_line(sh)
      {:ok, {:stdout, "one"}}
      iex> MuonTrap.Process.read_line(sh)
      {:ok, {:stdout, "two"}}
      iex> MuonTrap.Process.read_line(sh)
      :eof
  """
  @spec read_line(GenServer.server(), timeout()) ::
          {:ok, chunk()} | :eof | {:error, :timeout | :active}
  def read_line(process, timeout \\ :infinity),
    do: call(process, {:read, :line, Caller.timeout!(timeout)}, :read_line)

  @doc """
  Sets whether output comes as messages, see "Messages" above: `setopts(process, active: :once)`.

  Readers that wait get `{:error, :active}` if the handle becomes active.

  ## Examples

      iex> {:ok, echo} = MuonTrap.Process.start_link("echo", ["hello"])
      iex> MuonTrap.Process.setopts(echo, active: true)
      :ok
      iex> receive do
      ...>   {:muontrap, ^echo, {:stdout, data}} -> data
      ...> end
      "hello\\n"
      iex> receive do
      ...>   {:muontrap, ^echo, {:exit, result}} -> result.exit_status
      ...> end
      0
  """
  @spec setopts(GenServer.server(), active: active()) :: :ok
  def setopts(process, active: active) do
    {:ok, row} = Table.fetch(:active)

    case Type.parse(row.type, active) do
      {:ok, active} -> call(process, {:set_active, active}, :setopts)
      {:error, reason} -> raise Errors.invalid_value(row, active, reason)
    end
  end

  @doc "Sets the process that gets the messages of an active handle. The owner stays the same."
  @spec controlling_process(GenServer.server(), pid()) :: :ok
  def controlling_process(process, pid) when is_pid(pid),
    do: call(process, {:controlling_process, pid}, :controlling_process)

  @doc """
  Sends a signal to the program: a number from 1 to 64, or a name such as `:sigusr1`, `:SIGUSR1` or `"USR1"`.

  It goes to the program alone, not to its children. Returns `{:error, :exited}` if the program has ended. A program that
  ends because of it has ended by itself: `stop/2` also sends SIGKILL, if that is needed.

  ## Examples

      iex> {:ok, sleep} = MuonTrap.Process.start_link("sleep", ["1000"])
      iex> MuonTrap.Process.signal(sleep, :sigint)
      :ok
      iex> {:ok, result} = MuonTrap.Process.await_exit(sleep)
      iex> {result.exit_status, result.signal}
      {130, 2}
  """
  @spec signal(GenServer.server(), 1..64 | atom() | String.t()) :: :ok | {:error, :exited}
  def signal(process, signal), do: call(process, {:signal, Signals.number!(signal)}, :signal)

  @doc """
  Changes the size of the terminal of a program with `:pty`: rows and columns, 1 to 65535. The program gets SIGWINCH if
  that is another size.

  Returns `{:error, :no_pty}` without `:pty`, and `{:error, :exited}` after the program has ended.
  """
  @spec resize(GenServer.server(), 1..65_535, 1..65_535) :: :ok | {:error, :no_pty | :exited}
  def resize(process, rows, cols) do
    Pty.check_size!(rows, cols)
    call(process, {:resize, rows, cols}, :resize)
  end

  @doc """
  Stops the program, and then the handle. Returns when the program and all its descendants are gone.

  The program gets the stop signal (`:stop_signal`), and SIGKILL after `:delay_to_sigkill`. Output that was not read is
  thrown away: to get the last words of a program, use `signal/2`, and read until `:eof`. The reason of the handle is
  `:normal`, so its owner does not get an exit signal that stops it.

  Returns `{:error, :timeout}` if it takes more than `timeout` milliseconds. It goes on then.
  """
  @spec stop(GenServer.server(), timeout()) :: {:ok, Result.t()} | {:error, :timeout}
  def stop(process, timeout \\ :infinity),
    do: call(process, {:stop, Caller.timeout!(timeout)}, :stop)

  @doc """
  Waits until the program has ended, and all its descendants, and returns how.

  Any number of processes may wait. Output is not read by that: a program that has more to write than the window allows
  does not end until somebody reads it. Returns `{:error, :timeout}` after `timeout` milliseconds; the program goes on.
  """
  @spec await_exit(GenServer.server(), timeout()) :: {:ok, Result.t()} | {:error, :timeout}
  def await_exit(process, timeout \\ :infinity),
    do: call(process, {:await_exit, Caller.timeout!(timeout)}, :await_exit)

  @doc "Returns what is known about the program. Nothing in it is from the environment."
  @spec info(GenServer.server()) :: info()
  def info(process), do: call(process, :info, :info)

  defp call(process, request, function), do: Caller.call(process, request, {__MODULE__, function})
end
