# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap do
  @moduledoc """
  Runs programs that end when they should.

  `cmd/3` is `System.cmd/3` with three promises:

    * When it returns, every byte that the program wrote is in the result, and the program and
      everything that it started are gone.
    * Whatever dies first (the calling process, the BEAM, the helper or the program), the rest follows.
    * A program that writes faster than its output is collected has to wait; the output does not pile
      up in the mailbox.

  `run/3` does the same and also tells what the program used. `MuonTrap.Daemon` runs a program under a
  supervisor.

  Each program is run by a process of a small helper, `muontrap`, which starts it, forwards its output, and
  stops and sweeps up everything that comes of it. On Linux, one process of the helper, the fork server,
  forks them all, unless `config :muontrap, fork_server: false` says otherwise. See `muontrap_path/0`.
  """

  alias MuonTrap.{Error, ExecError, Helper, Options, Result, Runner}

  @doc """
  Runs a program and returns its output and its exit status.

  `command` is looked for in `PATH` unless it is an absolute path. `args` are handed to the program
  as they are: there is no shell, and nothing is expanded or needs escaping.

  The exit status is 0 to 255; 128 + n when signal n ended the program
  ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)); or `:timeout` when `:timeout`
  ran out.

  The program's stdin is a pipe that nothing is written to and that stays open, as with
  `System.cmd/3`: a program that reads its input to the end waits for ever, or until `:timeout`.

  ## Options

  Those of `System.cmd/3`:

    * `:into` - collects the output into this `Collectable`, by default `""`. A text device such as
      `IO.stream()` gets whole characters. It refuses what is not UTF-8, as it does with `System.cmd/3`

    * `:lines` - collects line by line, without the newline, or carriage return and newline, at the end.
      Takes a number of bytes, 1 or more. The lines are whole however long they are, as with `System.cmd/3`

    * `:cd` - the directory to run the program in

    * `:env` - an enumerable of pairs of strings, to be added to the environment of the BEAM. `nil` as
      the value removes a variable, and `""` sets an empty one, which `System.cmd/3` leaves out. The values
      show in no log, exception or state of a process

    * `:arg0` - the program's name for itself, its argument 0

    * `:stderr_to_stdout` - when `true`, stderr is collected with stdout, in the order in which the
      program writes. By default, stderr goes where that of the BEAM goes

    * `:use_stdio` - when `false`, the program has the stdin, stdout and stderr of the BEAM, and
      nothing is collected. It may then talk to the terminal

    * `:parallelism` - the port's `:parallelism`, see `open_port/2`

  Stopping and flow control:

    * `:timeout` - after this many milliseconds from the call the program is stopped, or not even started,
      and the exit status is `:timeout`. The output up to its end is there. By default `:infinity`. A `Collectable`
      runs in the calling process: one that takes longer for a chunk holds up the stop by that, and
      the program waits meanwhile, once its window is full

    * `:stop_signal` - the signal that tells the program to stop: a number from 1 to 64, or a name
      such as `:sigint`, `:SIGINT` or `"SIGINT"`. By default SIGTERM

    * `:delay_to_sigkill` - milliseconds from there to SIGKILL; 0 or more, by default 500

    * `:orphans` - with `:leave`, processes that the program leaves behind when it ends by itself go
      on. When it is stopped, they go with it all the same. By default `:kill`

    * `:stdio_window` - the number of bytes of output that may be under way to the caller; 1 or more,
      by default 10,240. With a larger window much output takes less time and more memory

    * `:capture_stderr_only` - when `true`, stderr is collected and stdout goes to `/dev/null`, also with
      `stderr_to_stdout: true`

  Users and groups, for a BEAM that runs as root. Each is a name or a number, and none may be root:

    * `:uid` - the user to run the program as. Group and supplementary groups become that user's,
      unless these options say otherwise

    * `:gid` - the group

    * `:groups` - the list of supplementary groups; `[]` for none

  Control groups
  ([cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html)), for limits, and so that
  nothing can escape:

    * `:cgroup_base` - runs the program in a new group below this one

    * `:cgroup_path` - runs the program in this group. Only one of these two can be given. Both are
      paths in the cgroup hierarchy, without its mount point; with a `/` in front they begin at its
      root

    * `:cgroup` - a map of limits, by the names of cgroup v2, whichever version there is:

        * `:memory_max`, `:memory_high`, `:memory_low`, `:memory_min`, `:memory_swap_max` - bytes, or
          `:max`
        * `:memory_oom_group` - boolean: when memory is short, all of the group is killed
        * `:cpu_max` - `{quota, period}` in microseconds of CPU time, a quota alone, or `:max`
        * `:cpu_weight` - 1 to 10,000; others have 100
        * `:cpu_idle` - boolean: gets CPU time that nobody else wants
        * `:cpuset_cpus`, `:cpuset_mems` - a string of numbers and ranges such as `"0-1,3"`
        * `:pids_max` - number of processes and threads, or `:max`
        * `:io_max` - a map from device to limits, `%{"8:0" => %{rbps: 1_048_576, wiops: 100}}`, with
          `:rbps` and `:wbps` in bytes per second, `:riops` and `:wiops` in operations per second,
          each a number or `:max`; or a string such as `"8:0 rbps=1048576"`
        * `:io_weight` - 1 to 10,000; others have 100. Or a map from device, or `:default`, to weight

      What they mean is in [docs/cgroups.md](cgroups.html), and in [the kernel's
      documentation](https://docs.kernel.org/admin-guide/cgroup-v2.html)

    * `:cgroup_controllers` - a list of controllers such as `"memory"`

    * `:cgroup_sets` - a list of `{controller, setting, value}` such as
      `{"memory", "memory.limit_in_bytes", 268_435_456}`, in the words of either cgroup version. A
      value is an integer or a string

  ## Errors

    * `ArgumentError` - an argument or an option is not valid. The message names the option and the
      value
    * `ErlangError` with `:enoent` - there is no such program
    * `ErlangError` with `:eacces` - it is not executable
    * `MuonTrap.Error` - the program could not be run for another reason, such as a user, a directory
      or an interpreter that does not exist; or the helper died, in which case the program is gone, but
      its output is not complete

  An exit or exception in the `Collectable` stops the program, and is passed on when it is gone.
  Afterwards, no message is left in the mailbox of the caller that was not there before.

  ## Examples

      iex> MuonTrap.cmd("echo", ["hello"])
      {"hello\\n", 0}

      iex> MuonTrap.cmd("sh", ["-c", "echo $GREETING; exit 3"], env: [{"GREETING", "hi"}])
      {"hi\\n", 3}

      iex> MuonTrap.cmd("sh", ["-c", "echo out; echo err >&2"], stderr_to_stdout: true, lines: 1024, into: [])
      {["out", "err"], 0}

      iex> MuonTrap.cmd("sh", ["-c", "echo begun; sleep 60"], timeout: 100)
      {"begun\\n", :timeout}

      iex> MuonTrap.cmd("sh", ["-c", "kill -KILL $$"])
      {"", 137}

  From Erlang:

      1> 'Elixir.MuonTrap':cmd(<<"echo">>, [<<"hi">>], []).
      {<<"hi\\n">>,0}
  """
  @spec cmd(binary(), [binary()], keyword()) ::
          {Collectable.t(), exit_status :: 0..255 | :timeout}
  def cmd(command, args, opts \\ []) do
    result = run_program(:cmd, command, args, opts)
    {result.output, result.exit_status}
  end

  @doc """
  Runs a program as `cmd/3` does, with the same options and errors, and returns a `MuonTrap.Result`:
  its output and exit status, and what it used.

  ## Examples

      iex> result = MuonTrap.run("sh", ["-c", "echo hello; kill -TERM $$"])
      iex> {result.output, result.exit_status, result.signal, result.stdout_bytes}
      {"hello\\n", 143, 15, 6}
      iex> result.wall_time_us > 0
      true
  """
  @spec run(binary(), [binary()], keyword()) :: Result.t()
  def run(command, args, opts \\ []), do: run_program(:run, command, args, opts)

  defp run_program(context, command, args, opts) do
    options = Options.check(context, command, args, opts)

    case Runner.run(options) do
      {:ok, result} -> result
      {:error, %Error{} = error} -> raise error
      {:error, reason} -> ExecError.raise(reason, command, context)
    end
  end

  @doc """
  The path of the helper, `muontrap`.

  It is the first of these:

    1. what `config :muontrap, helper: "/path/to/muontrap"` says
    2. what the environment variable `MUONTRAP_HELPER` says
    3. `muontrap` in the `priv` directory of the `:muontrap` application, where `mix compile` puts it

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
