# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap do
  @moduledoc """
  Runs operating-system programs that end when they should.

  `cmd/3` is `System.cmd/3`, and `shell/2` is `System.shell/2`, with three guarantees:

    * When it returns, every byte that the program wrote is in the result, and the program and all its
      descendants are gone.
    * Whichever dies first (the calling process, the BEAM, the helper or the program), the rest follows.
    * A program that writes faster than its output is collected has to wait; the output does not
      accumulate in the mailbox.

  `run/3` does the same and also reports the resources that the program used. `stream!/3` returns a
  stream of the output. `MuonTrap.Daemon` runs a program under a supervisor.

  Each program is run by its own process of a small helper, `muontrap`. This process starts the program,
  forwards its output, stops it, and kills what it leaves behind. It is forked by one more process of
  the helper, the fork server, unless the configuration has
  `config :muontrap, fork_server: false`. See `muontrap_path/0`.

  ## Input

  `:input` is one of these:

    * iodata, which may be of any size
    * an `Enumerable` of iodata, such as a `Stream` or a stream of `stream!/3`. A list is taken as iodata,
      since every list of iodata is iodata itself. `File.stream!` by lines turns the line
      ends of Windows into those of Unix, so use it by bytes for what is no text, or `{:file, path}`
    * `{:file, path}`: the program reads the file itself. It is opened as the program's user, relative
      to `:cd`. If it cannot be opened, `MuonTrap.Error` with the step `:input` is raised
    * `:null`: `/dev/null`
    * `:open`: a pipe that stays open, the default

  At the end of the input, the program reads end of file.

  An `Enumerable` is enumerated in the calling process, between output, and only as fast as the
  program reads: at most 256 KiB are on their way. So the input may be larger than the memory, and the
  program may read and write in any order. Each element is sent before the next one is requested. While
  the `Enumerable` computes an element, no output is collected and `:timeout` has to wait.

  A program that stops reading, as `head` does, ends the input without an error. The `Enumerable` is
  halted then, and also when the program ends, or at the `:timeout`. An exception in the `Enumerable`
  stops the program, and is raised again when the program is gone.

  ## Output

  `:stdout` and `:stderr` are each one of these:

    * `:capture` - collected. `:into` and `:lines` apply to stdout. stderr becomes a binary in the
      `MuonTrap.Result` of `run/3`, and elements of its own in a stream; `cmd/3` returns one output, and
      does not take `stderr: :capture`
    * `:discard` - `/dev/null`
    * `:inherit` - where that of the BEAM goes
    * `stderr: :to_stdout` - wherever stdout goes. When that is collected, both are in the order in
      which the program has written them
    * `{:file, path}` or `{:file, path, opts}` - a file, which the program's process opens itself, as
      the program's user, relative to `:cd`. It is truncated, unless `opts` has `append: true`. A new
      file gets the permissions 0666, or `mode: 0o600` for example, less the umask. If it cannot be
      opened, `MuonTrap.Error` with the step `:output` is raised, and nothing runs

  Without these options, stdout is collected, and stderr goes where that of the BEAM goes.
  `stderr_to_stdout: true`, `capture_stderr_only: true` and `use_stdio: false` are older names for some
  of this. Options that contradict each other are an `ArgumentError`.

  With `stderr: :capture`, stdout and stderr are two pipes. Each keeps its own order. What comes from the
  two is ordered by when the helper sees it, which is close to the order of writing, but not the same.

  ## Telemetry

  If there is a module `:telemetry` when the application `:muontrap` starts, as in an application that depends on
  [telemetry](https://hexdocs.pm/telemetry), the functions of this module, `MuonTrap.Process` and `MuonTrap.Daemon` send
  these events, in the process that owns the program:

    * `[:muontrap, :program, :start]` - the program has started. Measurements: `:system_time`, `:monotonic_time`
    * `[:muontrap, :program, :stop]` - the program and all its descendants are gone. Measurements: `:duration`,
      `:monotonic_time`, and as in `MuonTrap.Result`: `:stdout_bytes`, `:stderr_bytes`, `:input_bytes`, `:user_time_us`,
      `:system_time_us`, `:peak_rss_bytes`, `:cgroup_peak_bytes`, `:swept`, `:survivors`
    * `[:muontrap, :program, :exception]` - the program could not be started, which is the only event then; or its
      session was lost, for example because it was killed. Measurements: `:duration`, `:monotonic_time`,
      `:stdout_bytes`, `:stderr_bytes`, `:input_bytes`

  `:duration` contains the time that the start takes. It, `:system_time` and `:monotonic_time` are in native units, see
  `System.convert_time_unit/3`. The bytes of output are those that the owner has received. The metadata of all events:

    * `:kind` - `:cmd`, `:run`, `:stream`, `:process` or `:daemon`
    * `:command`, `:args`, `:cgroup_path` - as they were given; with `:cgroup_base`, the new group
    * `:owner` - the process that owns the program: the caller, the handle or the daemon
    * `:os_pid`, `:program_os_pid` - the pids of the session and of the program; `nil` if it could not be started

  `:stop` has also `:exit_status`, which may be a limit such as `:timeout`, `:signal`, `:core_dumped`, `:oom_killed` and
  `:sigkill_needed`, as in `MuonTrap.Result`. `:exception` has also `:reason`: `:enoent`, `:eacces`, `:timeout` or a
  `MuonTrap.Error`. Variables of the environment, input and output are in none of them.

  An owner that is killed sends no event about the end of its program. MuonTrap is tested against a module with the
  interface of `:telemetry.execute/3`, not against the package itself.
  """

  alias MuonTrap.{Error, Helper, Options, Result, Runner, Top, Usage}
  alias MuonTrap.Error.Exec
  alias MuonTrap.Options.{Arguments, Docs, Table}

  @doc """
  Runs a program and returns its output and its exit status.

  `command` is looked up in `PATH` unless it is an absolute path. The program gets `args` as they are:
  there is no shell, so that nothing is expanded and nothing needs escaping.

  The exit status is 0 to 255; 128 + n if signal n killed the program
  ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)); or the limit at which the program
  was stopped: `:timeout`, `:idle_timeout` or `:max_output`, see these options and `:max_output_bytes`.

  The option `:input` is what the program reads from stdin, see "Input" in the documentation of this
  module. Without it, stdin is a pipe that stays open and that nothing is written to, as with
  `System.cmd/3`: a program that reads its input to the end waits for ever, or until `:timeout`.

  ## Options

  #{Docs.options(:cmd)}

  ## Errors

    * `ArgumentError` - an argument or an option is not valid. The message names the option and the
      value
    * `ErlangError` with `:enoent` - there is no such program
    * `ErlangError` with `:eacces` - it is not executable
    * `MuonTrap.Error` - the program could not be run for another reason, such as a user, a directory
      or an interpreter that does not exist. Or the helper was killed: then the program is gone, but
      its output is not complete

  An exit or exception in the `Collectable`, or in an `Enumerable` for `:input`, stops the program, and is
  passed on when the program is gone. In all cases, the mailbox of the caller is left as it was.

  ## Examples

      iex> MuonTrap.cmd("echo", ["hello"])
      {"hello\\n", 0}

      iex> MuonTrap.cmd("sh", ["-c", "echo $GREETING; exit 3"], env: [{"GREETING", "hi"}])
      {"hi\\n", 3}

      iex> opts = [stderr: :to_stdout, lines: 1024, into: []]
      iex> MuonTrap.cmd("sh", ["-c", "echo out; echo err >&2"], opts)
      {["out", "err"], 0}

      iex> MuonTrap.cmd("sh", ["-c", "echo begun; sleep 60"], timeout: 1000)
      {"begun\\n", :timeout}

      iex> MuonTrap.cmd("sh", ["-c", "echo begun; sleep 60"], idle_timeout: 1000)
      {"begun\\n", :idle_timeout}

      iex> MuonTrap.cmd("yes", [], max_output_bytes: 5)
      {"y\\ny\\ny", :max_output}

      iex> MuonTrap.cmd("sh", ["-c", "kill -KILL $$"])
      {"", 137}

      iex> MuonTrap.cmd("sort", [], input: ["b\\n", "a\\n"])
      {"a\\nb\\n", 0}

      iex> MuonTrap.cmd("wc", ["-l"], input: Stream.map(1..1000, &"\#{&1}\\n"))
      {"1000\\n", 0}

  From Erlang:

      1> 'Elixir.MuonTrap':cmd(<<"echo">>, [<<"hi">>], []).
      {<<"hi\\n">>,0}
  """
  @spec cmd(binary(), [binary()], [Options.cmd_option()]) ::
          {Collectable.t(), Result.exit_status()}
  def cmd(command, args, opts \\ []) do
    result = run_program(:cmd, command, args, opts)
    {result.output, result.exit_status}
  end

  @doc """
  Runs a program as `cmd/3` does, with the same options and errors, and returns a `MuonTrap.Result`:
  the output, the exit status, and the resources that the program used. With `stderr: :capture`, the
  result has stderr, too.

  ## Examples

      iex> result = MuonTrap.run("sh", ["-c", "echo hello; kill -TERM $$"])
      iex> {result.output, result.exit_status, result.signal, result.stdout_bytes}
      {"hello\\n", 143, 15, 6}
      iex> result.wall_time_us > 0
      true

      iex> result = MuonTrap.run("sh", ["-c", "echo out; echo err >&2"], stderr: :capture)
      iex> {result.output, result.stderr}
      {"out\\n", "err\\n"}
  """
  @spec run(binary(), [binary()], [Options.cmd_option()]) :: Result.t()
  def run(command, args, opts \\ []), do: run_program(:run, command, args, opts)

  @doc """
  Runs a command line in a shell, `sh -c`, and returns the output and the exit status, as
  `System.shell/2` does. Otherwise it is like `cmd/3`.

  The shell expands variables, patterns and everything else in `command`. Never make a part of it out of
  data from elsewhere: use `cmd/3`, which passes arguments on as they are, or `:env`.

  The program is the shell, so that `:stop_signal` and the exit status are those of the shell. When it is
  stopped at a `:timeout`, SIGTERM ends the shell, and its children get SIGKILL without having been told
  to stop. A command that has to end in an orderly way takes the place of the shell with `exec`:

      MuonTrap.shell("cd /srv && exec ./server --port $PORT", timeout: 60_000)

  Some shells do that by themselves for the last command, but not all, and not after `&&` or in a pipeline.

  ## Options

  #{Docs.options(:shell, :cmd)}

  ## Errors

  Those of `cmd/3`. A command that the shell does not find is no error, but the exit status 127.

  ## Examples

      iex> MuonTrap.shell("echo hello | tr a-z A-Z; exit 3")
      {"HELLO\\n", 3}

      iex> MuonTrap.shell("cat", close_stdin: true)
      {"", 0}

      iex> MuonTrap.shell("trap 'echo bye; exit 0' TERM; sleep 60 & wait", timeout: 1000)
      {"bye\\n", :timeout}
  """
  @spec shell(binary(), [Options.shell_option()]) :: {Collectable.t(), Result.exit_status()}
  def shell(command, opts \\ []) do
    Arguments.check(Table.function(:shell), command, [], opts)
    result = run_program(:shell, "sh", ["-c", operand(command)], opts)
    {result.output, result.exit_status}
  end

  # With a space in front, it is no option of the shell.
  defp operand(<<sign, _rest::binary>> = command) when sign in [?-, ?+], do: " " <> command
  defp operand(command), do: command

  @doc """
  Returns a stream of the output of a program: an `Enumerable` of binaries.

  Each enumeration starts the program, in the process that consumes the elements; nothing runs before
  that. The program is ahead of the consumer by no more than `:stdio_window`, so that the output may be
  of any size. The same holds for `:input`, which may be another stream:

      "access.log.gz"
      |> File.stream!(65_536)
      |> then(&MuonTrap.stream!("gunzip", ["-c"], input: &1))
      |> then(&MuonTrap.stream!("grep", ["-F", "/index.html"], input: &1, lines: true))
      |> Enum.take(10)

  When the enumeration is halted, as by `Enum.take/2`, or when the consumer raises, throws or exits, the
  program is stopped. It and all its descendants are gone when the enumeration returns. Neither this nor
  input that the program does not read is an error. When the consumer dies, the program is stopped, too.

  The elements are binaries of at most `:max_chunk_bytes` bytes, or lines with `:lines`. With
  `stderr: :capture`, they are `{:stdout, binary}` and `{:stderr, binary}`, in the order in which the
  output came.

  ## Options

  #{Docs.options(:stream!, :cmd)}

  ## Errors

  `stream!/3` itself raises `ArgumentError`. An enumeration raises these:

    * `MuonTrap.ExitError` after the last element, if the exit status is not in `:ok_statuses`. At a
      limit, the exit status is `:timeout`, `:idle_timeout` or `:max_output`
    * `ErlangError` and `MuonTrap.Error` as `cmd/3` does

  ## Examples

      iex> MuonTrap.stream!("seq", ["1", "1000000"], lines: true) |> Enum.take(3)
      ["1", "2", "3"]

      iex> hello = MuonTrap.stream!("echo", ["hello"])
      iex> MuonTrap.stream!("cat", [], input: hello) |> Enum.join()
      "hello\\n"

      iex> "sh"
      ...> |> MuonTrap.stream!(["-c", "echo no >&2"], stderr: :capture, lines: true)
      ...> |> Enum.to_list()
      [{:stderr, "no"}]

      iex> MuonTrap.stream!("false", []) |> Enum.to_list()
      ** (MuonTrap.ExitError) false exited with status 1
  """
  @spec stream!(binary(), [binary()], [Options.stream_bang_option()]) :: Enumerable.t()
  def stream!(command, args, opts \\ []),
    do: :stream! |> Options.new(command, args, opts) |> MuonTrap.Stream.new()

  @doc """
  Returns a stream as `stream!/3` does, but with `{:exit, exit_status}` as the last element.

  The exit status is that of `cmd/3`, which may be a limit such as `:timeout`. No exit status raises an error, so there is
  no option `:ok_statuses`.

  ## Examples

      iex> MuonTrap.stream("sh", ["-c", "echo hello; exit 3"]) |> Enum.to_list()
      ["hello\\n", {:exit, 3}]
  """
  @spec stream(binary(), [binary()], [Options.stream_option()]) :: Enumerable.t()
  def stream(command, args, opts \\ []),
    do: :stream |> Options.new(command, args, opts) |> MuonTrap.Stream.new()

  defp run_program(context, command, args, opts) do
    options = Options.new(context, command, args, opts)

    case Runner.run(options) do
      {:ok, result} -> result
      {:error, %Error{} = error} -> raise error
      {:error, reason} -> Exec.raise(reason, command, context)
    end
  end

  @typedoc "A running program, as in the result of `list/0`."
  @type program :: %{
          kind: :cmd | :run | :stream | :process | :daemon,
          command: binary(),
          args: [binary()],
          owner: pid(),
          os_pid: pos_integer(),
          program_os_pid: pos_integer(),
          cgroup_path: String.t() | nil,
          uptime_ms: non_neg_integer(),
          stdout_bytes: non_neg_integer(),
          stderr_bytes: non_neg_integer(),
          input_bytes: non_neg_integer(),
          cpu_us: non_neg_integer() | nil,
          memory_bytes: non_neg_integer() | nil,
          processes: non_neg_integer() | nil
        }

  @doc """
  Lists the programs that run on this node, the oldest first.

    * `:kind` - `:cmd`, `:run`, `:stream`, `:process` or `:daemon`
    * `:command`, `:args` - as they were given
    * `:owner` - the process that owns the program: the caller, the handle or the daemon
    * `:os_pid`, `:program_os_pid` - the pids of the session, which is the helper's process for this program, and of
      the program
    * `:cgroup_path` - the program's cgroup, if it has one
    * `:uptime_ms` - the time since the start of the program was requested
    * `:stdout_bytes`, `:stderr_bytes` - bytes of output that the owner has received
    * `:input_bytes` - bytes that were written to the program's stdin
    * `:processes` - how many processes the program and its descendants are
    * `:cpu_us` - the CPU time of these processes, and of those children that they have waited for, in microseconds. The
      kernel counts in steps of a hundredth of a second
    * `:memory_bytes` - the sum of the resident sets of these processes. Memory that they share counts for each

  The last three are read from `/proc` by a process of the helper, in one go. They are `nil` if that fails, for a program
  that has just ended, and on systems other than Linux.

  A program whose owner has died is being stopped, and is not in the list.

  ## Examples

      iex> {:ok, daemon} = MuonTrap.Daemon.start_link("sleep", ["60"])
      iex> program = Enum.find(MuonTrap.list(), &(&1.owner == daemon))
      iex> {program.kind, program.command, program.args, program.stdout_bytes}
      {:daemon, "sleep", ["60"], 0}
      iex> program.program_os_pid == MuonTrap.Daemon.program_os_pid(daemon)
      true
      iex> GenServer.stop(daemon)
      :ok
  """
  @spec list() :: [program()]
  def list, do: Usage.programs()

  @doc """
  Shows the programs that run on this node in a table like that of top(1), which is refreshed every two seconds until you
  press Enter. For IEx, also in a remote shell, which passes on whole lines: no other key stops it without Enter.

      my_app@host: 2 programs, 3 processes, 101.3% CPU, 38M memory
        CPU%    MEM UPTIME     IN    OUT     PID SESSION OWNER     COMMAND
        99.8    31M  2m07s   1.2M   420K 1234567 1234566 <0.251.0> gzip -c
         1.5   6.9M  3h12m      0    11M  984212  984211 MyServer  my_server --port 8080

  The columns are those of `list/0`. Programs with the most CPU time since the last refresh, or in the first table
  since their start, come first: 100 % is one CPU. IN and OUT are bytes that were written to the program and
  read from it, PID and SESSION are the pids of the program and of the helper's process for it. CGROUP is there if a
  program has one. What does not fit on the screen is left out.

  Without a terminal, the table is printed once. `:interval` is the time between two refreshes in milliseconds.
  """
  @spec top([{:interval, pos_integer()}]) :: :ok
  def top(opts \\ []), do: Top.run(opts)

  @doc """
  Returns the path of the helper, `muontrap`.

  It is the first of these:

    1. the path in `config :muontrap, helper: "/path/to/muontrap"`
    2. the path in the environment variable `MUONTRAP_HELPER`
    3. `muontrap` in the `priv` directory of the `:muontrap` application, where `mix compile` puts it

  A path of a folder, from which `mix compile` takes the helper, does not count here.

  Raises `MuonTrap.Error` when there is no executable file at this path.

  ## Examples

      iex> Path.basename(MuonTrap.muontrap_path())
      "muontrap"
  """
  @spec muontrap_path() :: binary()
  def muontrap_path do
    with {:ok, path} <- Helper.find(),
         :ok <- Helper.check(path) do
      path
    else
      {:error, error} -> raise error
    end
  end
end
