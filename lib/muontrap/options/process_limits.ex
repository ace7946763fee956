# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.ProcessLimits do
  @moduledoc false

  # The option :rlimits: the names of setrlimit(2), and their values, as "soft hard".

  alias MuonTrap.Options.Type

  @behaviour Type

  # The largest value of the kernel means that there is no limit.
  @largest 0xFFFFFFFFFFFFFFFE

  @limits [
    as: "bytes of address space",
    core: "bytes of a core dump",
    cpu: "seconds of CPU time; at the soft limit, the program gets SIGXCPU",
    data: "bytes of data, heap included",
    fsize: "bytes of a file that it writes",
    locks: "file locks, which Linux has not limited since 2.4",
    memlock: "bytes of locked memory",
    msgqueue: "bytes in POSIX message queues of the user",
    nice: "20 less the lowest niceness to which it may go",
    nofile:
      "one more than the largest descriptor. `:unlimited` is the most that the kernel permits, which
      is in `/proc/sys/fs/nr_open`",
    nproc: "processes and threads of the user, above which none can be created. Not for root",
    rss: "bytes of resident memory, which Linux has not limited since 2.4",
    rtprio: "the highest real-time priority that it may set",
    rttime: "microseconds of CPU time with real-time scheduling without a blocking system call",
    sigpending: "signals that are queued for the user",
    stack: "bytes of stack. Arguments and environment have a quarter of it"
  ]

  @doc "The type of the option `:rlimits`."
  @spec type() :: Type.t()
  def type do
    keys = for {name, doc} <- @limits, do: {name, {:custom, __MODULE__, :limit}, doc}
    {:keys, :keyword, "resource limit", keys}
  end

  @impl Type
  def expected(:limit),
    do: "a number, {soft, hard} with soft not above hard, or :unlimited"

  @impl Type
  # A type of MuonTrap.Options, which would otherwise show it once for each limit.
  def typespec(:limit, :given), do: quote(do: rlimit())

  def typespec(:limit, :parsed), do: quote(do: String.t())

  # Any integer is smaller than the atom :unlimited.
  @impl Type
  def parse({soft, hard}, :limit) do
    if limit?(soft) and limit?(hard) and soft <= hard,
      do: {:ok, "#{soft} #{hard}"},
      else: :error
  end

  def parse(limit, :limit),
    do: if(is_tuple(limit), do: :error, else: parse({limit, limit}, :limit))

  defp limit?(limit), do: limit == :unlimited or (is_integer(limit) and limit in 0..@largest)
end
