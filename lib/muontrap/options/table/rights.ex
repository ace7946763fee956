# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Table.Rights do
  @moduledoc false

  # The options about what a program may do.

  alias MuonTrap.Options.{Capabilities, ProcessLimits, Row}

  @doc "The group, as in `MuonTrap.Options.Table`, for these functions."
  @spec group([atom(), ...]) :: {introduction :: String.t(), [Row.t(), ...]}
  def group(contexts) do
    option = &Row.new/4

    {"""
     What the program may do. It and all that it starts inherit this. Where the kernel refuses, a
     `MuonTrap.Error` has the name of the option as its step:
     """,
     [
       option.(:rlimits, ProcessLimits.type(), contexts,
         field: {51, :named},
         doc: """
         limits of each single process
         ([setrlimit(2)](https://man7.org/linux/man-pages/man2/setrlimit.2.html)). A value is a number,
         which is the soft and the hard limit; `{soft, hard}`; or `:unlimited`. Only root can raise a
         hard limit. A limit on memory that is too small for any program to start ends it with
         SIGSEGV. Use `:cgroup` for a limit of all processes together:
         """
       ),
       option.(:nice, {:integer, -20, 19, "a niceness"}, contexts,
         field: {52, :text},
         doc: """
         the niceness, from -20 to 19: the larger, the more CPU time others get. Only root can set
         less than that of the BEAM
         """
       ),
       option.(:umask, :permissions, contexts,
         field: {53, :u32},
         doc: """
         the permissions that new files do not get, such as `0o077`. It also holds for the files in
         `:stdout` and `:stderr`
         """
       ),
       option.(:oom_score_adj, {:integer, -1000, 1000, "a score"}, contexts,
         field: {54, :text},
         doc: """
         which processes the kernel kills first when memory runs out, from -1000 (never) to 1000
         (first). Only root can set less than that of the BEAM
         """
       ),
       option.(:no_new_privs, :boolean, contexts,
         default: false,
         field: {55, :flag},
         doc: """
         when `true`, no exec gives privileges, as that of `sudo` would
         ([PR_SET_NO_NEW_PRIVS](https://man7.org/linux/man-pages/man2/PR_SET_NO_NEW_PRIVS.2const.html))
         """
       ),
       option.(
         :capabilities,
         {:list, {:custom, Capabilities, :name},
          "a list of capabilities such as [:net_bind_service]"},
         contexts,
         field: {56, :list},
         doc: """
         the list of capabilities that remain, in all five sets
         ([capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html)); `[]` for
         none. Also with `:uid`, whose program has none without this option. Names are atoms or
         strings, with or without `cap_`. Only for a BEAM that runs as root, or has CAP_SETPCAP
         """
       )
     ]}
  end
end
