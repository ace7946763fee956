# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Table.Servers do
  @moduledoc false

  # The options of processes that run a program: handles and daemons.

  alias MuonTrap.Options.{Ready, RestartDelay, Row, Values}
  alias MuonTrap.Output.LineBuffer

  @daemon [:daemon]
  @process [:process]

  option = &Row.new/4
  bytes = &{:integer, &1, &2, "a number of bytes"}
  milliseconds = &{:integer, &1, 0xFFFFFFFF, "a number of milliseconds"}
  function_name = [:atom, :atom]

  # A function of two arguments gets the name of the stream, too.
  callback =
    {:or,
     [
       {:function, 1},
       {:tuple, function_name, "{module, function}"},
       {:tuple, function_name ++ [:list], "{module, function, args}"},
       {:function, 2}
     ]}

  @groups [
    {"Of a handle:",
     [
       option.(
         :active,
         {:or, [{:one_of, [true, false, :once]}, {:integer, 1, 32_767, "a number of messages"}]},
         @process,
         default: false,
         doc: "whether output comes as messages: `false`, `:once`, `true` or a number of them"
       ),
       option.(:stop_on_exit, :boolean, @process,
         default: false,
         doc: "whether the handle stops when the program has ended and its output was read"
       )
     ]},
    {"Of a daemon:",
     [
       option.(:name, {:custom, Values, :process_name}, @daemon ++ @process,
         doc: """
         a name for the process: an atom, `{:global, term}` or `{:via, module, term}`, as for every
         `GenServer`. `nil` stands for no name
         """
       ),
       option.(:log_output, {:custom, Values, :log_level}, @daemon,
         doc: "logs each line of the output at this level: a level of `Logger`"
       ),
       option.(:log_stderr, {:custom, Values, :log_level}, @daemon,
         doc: """
         logs each line of stderr at this level, and captures stderr, apart from stdout. Without it,
         lines of stderr that is captured have the level of `:log_output`
         """
       ),
       option.(:log_prefix, :binary, @daemon,
         doc: """
         the beginning of each logged line. The default is the command, a colon and a space. This and the
         next option have no effect on lines that are not logged
         """
       ),
       option.(:log_transform, {:function, 1}, @daemon,
         doc: """
         a function that takes a line and returns what to log. By default, bytes that are not UTF-8
         are shown as a backslash, an x and two hexadecimal digits
         """
       ),
       option.(:logger_metadata, :keyword, @daemon,
         default: [],
         doc: """
         a keyword list of metadata for everything that the daemon's process logs. `muontrap_cmd` (the
         command) and `muontrap_args` (the arguments, separated by spaces) are always added
         """
       ),
       option.(:logger_fun, callback, @daemon,
         doc: """
         is called with each line in the daemon's process, instead of `Logger`: a function of one
         argument, `{module, function}`, or `{module, function, args}`, which gets the line before
         `args`. The line is a binary with the bytes that the program wrote. A function of two
         arguments gets the line and `:stdout` or `:stderr`; stderr is then captured, unless an option
         says otherwise. With `:logger_fun`, the levels, `:log_prefix` and `:log_transform` have no
         effect
         """
       ),
       option.(:output_fun, callback, @daemon,
         doc: """
         is called with each chunk of output as it comes, a binary that may end anywhere, in the
         daemon's process: a function of one or two arguments, `{module, function}`, or `{module,
         function, args}`, as for `:logger_fun`. The lines of the chunk are logged after that, if they
         are logged
         """
       ),
       option.(:log_max_line_bytes, bytes.(LineBuffer.smallest_max(), :infinity), @daemon,
         default: 65_536,
         doc: """
         a longer line is split into several pieces, none of them longer than this many bytes, and
         none ending inside a UTF-8 character. 4 or more
         """
       ),
       option.(:exit_status_to_reason, {:function, 1}, @daemon,
         doc: """
         a function that takes the exit status when it is not 0, and returns the reason for the
         daemon to stop with
         """
       ),
       option.(:ready, {:custom, Ready, :ready}, @daemon,
         doc: """
         when the program counts as ready: `{:line, regex}` or `{:line, fun}` when a line of its
         output matches, or a function of that line returns a true value; `{:tcp, port}` when something accepts
         connections on that port of this host; `{:unix, path}` when something does so on that socket;
         `{:file, path}` when there is such a file; `:notify` when the program says so, as with systemd.
         Without it, a program is ready once it runs. See "Ready and alive" below
         """
       ),
       option.(:ready_timeout, {:or, [milliseconds.(1), {:one_of, [:infinity]}]}, @daemon,
         default: 30_000,
         doc: """
         milliseconds after its start by which the program has to be ready. Otherwise it is stopped, and
         the daemon fails. Without `:ready`, this has no effect
         """
       ),
       option.(:start, {:one_of, [:when_running, :when_ready]}, @daemon,
         default: :when_running,
         doc: """
         with `:when_ready`, `start_link/3` returns when the program is ready, so that a supervisor
         starts the next child only then
         """
       ),
       option.(:watchdog, milliseconds.(1), @daemon,
         doc: """
         milliseconds after which a program that is ready, and has neither written output nor sent
         `WATCHDOG=1`, is stopped, and the daemon fails
         """
       ),
       option.(:restart_delay, {:custom, RestartDelay, :restart_delay}, @daemon,
         doc: """
         milliseconds by which the daemon holds back its exit after its program has ended, or a list
         for delays that grow: `[min: 500, max: 30_000, factor: 2]`, which are the defaults of its keys.
         See "Restarts" below
         """
       ),
       option.(:wait_for, {:function, 0}, @daemon,
         doc: """
         a function of no arguments that returns when the program may be started, such as when a
         device has appeared. It runs in a process of its own, linked to the daemon, so that neither
         the supervisor nor the daemon has to wait
         """
       )
     ]}
  ]

  @doc "The groups, as in `MuonTrap.Options.Table`."
  @spec groups() :: [{introduction :: String.t(), [Row.t(), ...]}, ...]
  def groups, do: @groups
end
