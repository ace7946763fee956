# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Table do
  @moduledoc false

  # The table of options. The checks, the fields of START, the documentation, the typespecs and the
  # struct MuonTrap.Options come from it, so that a new option is one row. MuonTrap.Options.Row says what a
  # row consists of.

  alias MuonTrap.Options.{
    Cgroup,
    Env,
    Input,
    Limits,
    Output,
    Pty,
    Row,
    Signals,
    Stop,
    Typespec,
    Users
  }

  alias MuonTrap.Options.Table.{Rights, Servers}

  # A new function with options is one row here, and its context in the rows of its options.
  @functions [
    cmd: "MuonTrap.cmd/3",
    run: "MuonTrap.run/3",
    shell: "MuonTrap.shell/2",
    stream: "MuonTrap.stream/3",
    stream!: "MuonTrap.stream!/3",
    daemon: "MuonTrap.Daemon.start_link/3",
    process: "MuonTrap.Process.start_link/3"
  ]

  @type context :: unquote(@functions |> Keyword.keys() |> Typespec.union())

  @type row :: Row.t()

  @type group :: {introduction :: String.t(), [row(), ...]}

  @all Keyword.keys(@functions)
  @commands [:cmd, :run, :shell]
  @streams [:stream, :stream!]
  @daemon [:daemon]

  # The most that fits a field of START, and that `receive` accepts as a timeout.
  @largest_number 0xFFFFFFFF

  milliseconds = &{:integer, &1, @largest_number, "a number of milliseconds"}
  bytes = &{:integer, &1, &2, "a number of bytes"}
  use_enum_into = "consume the elements of the stream, with Enum.into/2 for example"

  use_logger_fun = [
    daemon: "use :logger_fun for the lines of a daemon's output",
    process: "use MuonTrap.Process.read/2 or read_line/2"
  ]

  option = &Row.new/4

  # In the order of the documentation.
  @groups [
    {"Those of `System.cmd/3`:",
     [
       option.(
         :into,
         {:protocol, Collectable, "a Collectable, such as \"\", [] or IO.stream()"},
         @commands,
         default: "",
         instead: [stream: use_enum_into, stream!: use_enum_into] ++ use_logger_fun,
         doc: """
         collects the output into this `Collectable`. A text device such as `IO.stream()` gets whole
         characters. It refuses bytes that are not UTF-8, as it does with `System.cmd/3`
         """
       ),
       option.(:lines, {:or, [bytes.(1, :infinity), {:one_of, [true]}]}, @commands ++ @streams,
         instead: use_logger_fun,
         doc: """
         collects line by line, without the newline, or carriage return and newline, at the end.
         Takes a number of bytes, 1 or more, or `true`. The lines are whole however long they are, as
         with `System.cmd/3`
         """
       ),
       option.(:cd, :path, @all, field: {5, :text}, doc: "the directory to run the program in"),
       option.(:env, {:custom, Env, :variables}, @all,
         default: [],
         secret: true,
         doc: """
         an enumerable of pairs of strings, which are added to the environment of the BEAM. `nil` as
         the value removes a variable, and `""` sets an empty one, which `System.cmd/3` leaves out.
         The values are never shown in a log, an exception or the state of a process
         """
       ),
       option.(:clear_env, :boolean, @all,
         default: false,
         field: {10, :flag},
         doc: """
         when `true`, the program gets none of the BEAM's variables, but only those of `:env` and of
         `:login_env`. It is still looked up in the `PATH` of the BEAM
         """
       ),
       option.(:arg0, :string, @all -- [:shell],
         field: {3, :text},
         doc: "the program's argument 0, the name by which it was called"
       ),
       option.(:close_stdin, :boolean, [:shell],
         default: false,
         instead: for(context <- @all, do: {context, "use input: :null"}),
         doc: "`true` is another way to write `input: :null`"
       ),
       option.(:stderr_to_stdout, :boolean, @all,
         default: false,
         doc: "`true` is another way to write `stderr: :to_stdout`"
       ),
       option.(:use_stdio, :boolean, @commands ++ @daemon,
         default: true,
         doc: """
         when `false`, the program has the stdin, stdout and stderr of the BEAM, so that it can use
         the terminal, and nothing is collected
         """
       ),
       option.(:parallelism, :boolean, @all,
         doc: "the option `:parallelism` of the port, see `open_port/2`"
       )
     ]},
    {"Input:",
     [
       option.(:input, {:or, [:iodata, {:custom, Input, :source}]}, @all,
         default: :open,
         secret: :data,
         doc: """
         what the program reads from stdin: iodata; an `Enumerable` of iodata, such as a `Stream`,
         `File.stream!` or `MuonTrap.stream!/3`; `{:file, path}`, which the program's user has to be
         permitted to read, relative to `:cd`; `:null`, which is `/dev/null`; or `:open`, a pipe that
         stays open and that nothing is written to. A daemon and a handle take the last three. See "Input" in
         `MuonTrap`
         """
       )
     ]},
    {"Output, see \"Output\" in `MuonTrap`:",
     [
       option.(:stdout, Output.type(:stdout), @all,
         doc: """
         where stdout goes: `:capture`, which is the default, collects it; `:discard` is `/dev/null`;
         `:inherit` is the stdout of the BEAM; `{:file, path}` or `{:file, path, opts}`. For a
         daemon, `:discard` is the default unless one of the options below handles output
         """
       ),
       option.(:stderr, Output.type(:stderr), @all,
         doc: """
         where stderr goes: `:inherit`, which is the default, is the stderr of the BEAM; `:to_stdout`
         is wherever stdout goes, in the order in which the program writes; `:discard` is `/dev/null`;
         `:capture` collects it apart from stdout, in `MuonTrap.Result` or as elements of a stream,
         and is not for `MuonTrap.cmd/3`; `{:file, path}` or `{:file, path, opts}`
         """
       ),
       option.(:capture_stderr_only, :boolean, @all,
         default: false,
         doc: """
         when `true`, stderr is collected in place of stdout, which goes to `/dev/null`, also with
         `stderr_to_stdout: true`
         """
       )
     ]},
    {"Terminal:",
     [
       option.(:pty, {:custom, Pty, :pty}, @all,
         field: {27, :pty},
         doc: """
         gives the program a terminal of its own as stdin, stdout and stderr: `true`, or a list of
         `rows: 24`, `cols: 80` and `echo: true`, whether input appears in the output. There is no
         stderr apart from stdout then. See "Terminals" in `MuonTrap.Process`
         """
       )
     ]},
    {"Stopping and flow control:",
     [
       option.(:timeout, {:or, [milliseconds.(1), {:one_of, [:infinity]}]}, @commands ++ @streams,
         default: :infinity,
         instead: [
           daemon: "a daemon runs until it is stopped: leave it out",
           process: "a program with a handle runs until it is stopped: leave it out"
         ],
         doc: """
         this many milliseconds after the call, the program is stopped, or not started at all, and
         the exit status is `:timeout`. The result has the output up to the end of the program. A
         `Collectable` runs in the calling process: one that takes longer for a chunk delays the stop
         by that, and the program waits meanwhile, once its window is full. The time of a stream
         begins with its enumeration, and its consumer delays the stop in the same way
         """
       ),
       option.(
         :idle_timeout,
         {:or, [milliseconds.(1), {:one_of, [:infinity]}]},
         @commands ++ @streams,
         default: :infinity,
         instead: [daemon: "leave it out"],
         doc: """
         when no output has come for this many milliseconds, since the start of the program or the
         last output, the program is stopped, and the exit status is `:idle_timeout`. Only output that
         is captured counts. The time that a `Collectable`, or the consumer of a stream, takes does
         not count, but that of an `Enumerable` for `:input` does
         """
       ),
       option.(
         :max_output_bytes,
         {:or, [bytes.(0, :infinity), {:one_of, [:infinity]}]},
         @commands ++ @streams,
         default: :infinity,
         instead: [daemon: "a daemon collects no output: leave it out"],
         doc: """
         when the program has written more than this, the program is stopped, and the exit status is
         `:max_output`. The result has exactly this many bytes: those of stdout and stderr together
         when both are captured, newlines included
         """
       ),
       option.(:stop_signal, {:custom, Signals, :signal}, @all,
         field: {32, :text},
         doc: """
         the signal that tells the program to stop: a number from 1 to 64, or a name such as
         `:sigint`, `:SIGINT` or `"SIGINT"`. The default is SIGTERM
         """
       ),
       option.(:delay_to_sigkill, milliseconds.(0), @all,
         default: 500,
         field: {33, :u32},
         doc: "milliseconds from the stop signal to SIGKILL; 0 or more"
       ),
       option.(:stop, Stop.type(), @all,
         doc: """
         the signals that tell the program to stop, in order, each with the milliseconds until the next
         one, or SIGKILL after the last: `[sigint: 5_000, sigterm: 1_000]`. A program that ends gets no
         further signal. `:stop_signal` and `:delay_to_sigkill` are the simple form, for one signal, and
         cannot be given with it. `[]` is SIGKILL at once
         """
       ),
       option.(:stop_scope, {:one_of, [:program, :group, :all]}, @all,
         field: {36, :text},
         doc: """
         which processes get these signals: `:program`, the default, is the one that MuonTrap started,
         and others are killed as soon as it has ended; `:group` is its process group; `:all` is the
         program and all its descendants. With the last two, the others have the same time to end as
         the program. A shell passes no signals on: `sh -c "server; echo done"` needs `:all`, and in
         `sh -c "exec server"` the server takes the place of the shell
         """
       ),
       option.(:orphans, {:one_of, [:kill, :leave]}, @all,
         field: {34, :text},
         doc: """
         with `:leave`, processes that the program leaves behind when it exits by itself go on. When
         it is stopped, they are killed all the same. The default is `:kill`
         """
       ),
       option.(:stdio_window, bytes.(1, @largest_number), @all,
         default: 10_240,
         defaults: [stream: 262_144, stream!: 262_144, process: 262_144],
         field: {19, :u32},
         doc: """
         the number of bytes of output that may be on their way to the caller; 1 or more. A larger
         window is faster for large outputs and takes more memory. `File.stream!/1` and `IO.stream/2` as `:into` have a
         default of 262,144, of which up to half is gathered for one write
         """
       )
     ]},
    {"Users and groups, for a BEAM that runs as root. Each is a name or a number, and none may be root:",
     [
       option.(:uid, {:custom, Users, :user}, @all,
         field: {48, :text},
         doc: """
         the user to run the program as. The group and the supplementary groups become those of that
         user, unless these options say otherwise
         """
       ),
       option.(:gid, {:custom, Users, :group}, @all, field: {49, :text}, doc: "the group"),
       option.(
         :groups,
         {:list, {:custom, Users, :group}, "a list of groups such as [\"audio\", 1000]"},
         @all,
         field: {50, :list},
         doc: "the list of supplementary groups; `[]` for none"
       ),
       option.(:login_env, :boolean, @all,
         default: false,
         field: {11, :flag},
         doc: """
         when `true`, the variables HOME, USER, LOGNAME and SHELL are those of the user in `:uid`, as
         after a login, unless `:env` sets or removes them. Without it, they are those of the BEAM
         """
       )
     ]},
    Rights.group(@all),
    {"""
     Control groups ([cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html)), which limit
     what a program uses, and which none of its descendants can leave:
     """,
     [
       option.(:cgroup_base, {:custom, Cgroup, :base}, @all,
         doc: "runs the program in a new group below this one"
       ),
       option.(:cgroup_path, {:custom, Cgroup, :path}, @all,
         doc: """
         runs the program in this group. Only one of these two can be given. Both are paths in the
         cgroup hierarchy, without its mount point; with or without a `/` in front they begin at its
         root
         """
       ),
       option.(:cgroup, Limits.type(), @all,
         doc: """
         a map of limits, by the names of cgroup v2, whichever version the host has. They are
         explained in [Control groups](cgroups.md), and in [the kernel's
         documentation](https://docs.kernel.org/admin-guide/cgroup-v2.html):
         """
       ),
       option.(
         :cgroup_controllers,
         {:list, {:custom, Cgroup, :controller},
          "a list of names of controllers, such as [\"memory\", \"pids\"]"},
         @all,
         default: [],
         doc: "a list of controllers such as `\"memory\"`"
       ),
       option.(:cgroup_sets, {:custom, Cgroup, :sets}, @all,
         default: [],
         doc: """
         a list of `{controller, setting, value}` such as
         `{"memory", "memory.limit_in_bytes", 268_435_456}`, using setting names of either cgroup
         version. A value is an integer or a string
         """
       )
     ]},
    {"Of a stream:",
     [
       option.(:max_chunk_bytes, bytes.(1, :infinity), @streams,
         default: 65_536,
         instead: [daemon: "leave it out"],
         doc: """
         the largest size of an element, in bytes; 1 or more. Many are smaller. Lines are not split
         """
       ),
       option.(
         :ok_statuses,
         {:list,
          {:or,
           [
             {:integer, 0, 255, "an exit status"},
             {:one_of, [:timeout, :idle_timeout, :max_output]}
           ]}, "a list of exit statuses such as [0, 1]"},
         [:stream!],
         default: [0],
         doc: "the exit statuses for which no `MuonTrap.ExitError` is raised"
       )
     ]}
    | Servers.groups()
  ]

  @rows Enum.flat_map(@groups, &elem(&1, 1))
  @by_name Map.new(@rows, &{&1.name, &1})

  @doc "All contexts."
  @spec contexts() :: [context(), ...]
  def contexts, do: @all

  @doc "The name of the function that a context stands for."
  @spec function(context()) :: String.t()
  def function(context), do: Keyword.fetch!(@functions, context)

  @doc "All rows, in the groups of the documentation."
  @spec groups() :: [group(), ...]
  def groups, do: @groups

  @doc "All rows."
  @spec rows() :: [row(), ...]
  def rows, do: @rows

  @doc "The rows of the options that a function accepts."
  @spec rows(context()) :: [row(), ...]
  def rows(context), do: Enum.filter(@rows, &(context in &1.contexts))

  @doc "The names of the options that a function accepts."
  @spec names(context()) :: [atom(), ...]
  def names(context), do: context |> rows() |> Enum.map(& &1.name)

  @doc "The row of an option."
  @spec fetch(term()) :: {:ok, row()} | :error
  def fetch(name), do: Map.fetch(@by_name, name)
end
