# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Result do
  @moduledoc """
  The result of `MuonTrap.run/3`: how the program ended, and the resources that it used.

    * `:output` - the output, collected by the option `:into`
    * `:stderr` - what the program wrote to stderr, a binary, with `stderr: :capture`; otherwise `nil`
    * `:exit_status` - the exit code, 0 to 255; 128 + n if signal n killed the program; or the limit at
      which it was stopped, see `t:exit_status/0`
    * `:signal` - the number of the signal that killed the program, or `nil`
    * `:core_dumped` - whether the kernel wrote a core file
      ([core(5)](https://man7.org/linux/man-pages/man5/core.5.html))
    * `:oom_killed` - whether the kernel's out-of-memory killer killed a process in the program's cgroup;
      always `false` without a cgroup
    * `:sigkill_needed` - whether SIGKILL was needed because the program was still running
      `:delay_to_sigkill` milliseconds after the stop signal
    * `:cgroup_left` - whether the program's cgroup could not be removed
    * `:user_time_us`, `:system_time_us` - CPU time of the program and of the children that it has
      waited for, in microseconds
      ([getrusage(2)](https://man7.org/linux/man-pages/man2/getrusage.2.html))
    * `:peak_rss_bytes` - the largest resident set of any one of these processes, in bytes (`ru_maxrss`)
    * `:wall_time_us` - the time from the program's start to its end, in microseconds, measured with the
      monotonic clock
    * `:stdout_bytes`, `:stderr_bytes` - bytes read from each captured stream; merged streams count
      as stdout. After `:max_output`, more may have been read than is in the result
    * `:input_bytes` - bytes of `:input` that were written to the program's stdin, which is a pipe: at the end, it
      may hold bytes that the program has not read. 0 for `{:file, path}`
    * `:swept` - the number of processes that the program left behind and that were killed
    * `:survivors` - the number of processes that could not be killed, because of missing permissions
    * `:cgroup_peak_bytes` - the peak memory of the cgroup in bytes, or `nil` if it is unknown
  """

  @typedoc """
  How a program ended. In place of its exit code, this is the limit at which it was stopped: `:timeout`,
  `:idle_timeout`, or `:max_output` for the option `:max_output_bytes`.
  """
  @type exit_status :: 0..255 | limit()

  @type limit :: :timeout | :idle_timeout | :max_output

  @type t(output) :: %__MODULE__{
          output: output,
          stderr: binary() | nil,
          exit_status: exit_status(),
          signal: 1..64 | nil,
          core_dumped: boolean(),
          oom_killed: boolean(),
          sigkill_needed: boolean(),
          cgroup_left: boolean(),
          user_time_us: non_neg_integer(),
          system_time_us: non_neg_integer(),
          peak_rss_bytes: non_neg_integer(),
          wall_time_us: non_neg_integer(),
          stdout_bytes: non_neg_integer(),
          stderr_bytes: non_neg_integer(),
          input_bytes: non_neg_integer(),
          swept: non_neg_integer(),
          survivors: non_neg_integer(),
          cgroup_peak_bytes: non_neg_integer() | nil
        }

  @typedoc "A result whose output is what `:into` has collected."
  @type t :: t(Collectable.t())

  defstruct output: "",
            stderr: nil,
            exit_status: 0,
            signal: nil,
            core_dumped: false,
            oom_killed: false,
            sigkill_needed: false,
            cgroup_left: false,
            user_time_us: 0,
            system_time_us: 0,
            peak_rss_bytes: 0,
            wall_time_us: 0,
            stdout_bytes: 0,
            stderr_bytes: 0,
            input_bytes: 0,
            swept: 0,
            survivors: 0,
            cgroup_peak_bytes: nil
end
