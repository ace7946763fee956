# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.SecondBeam do
  @moduledoc """
  Another BEAM with this build of MuonTrap, for tests that kill it, or that measure what happens in it. It has
  the modules in `test/support`, so that functions to be called there must be in one of them.
  """

  alias MuonTrap.Test.{ForkServer, OS}

  @enforce_keys [:peer, :os_pid]
  defstruct [:peer, :os_pid]

  @type t :: %__MODULE__{peer: pid(), os_pid: pos_integer()}

  @doc """
  Starts it, with `marker` in the environment of all its processes and a limit of `descriptors` open
  files, from a shell that has run `script`. It ends with the test.
  """
  @spec start(String.t(), pos_integer(), String.t()) :: t()
  def start(marker, descriptors \\ 1024, script \\ ":") do
    {:ok, peer, _node} =
      :peer.start(%{
        connection: :standard_io,
        exec: {~c"/bin/sh", [~c"-c", exec(descriptors, script), ~c"sh"]},
        args: Enum.flat_map(ebins(), &[~c"-pa", &1]),
        env: [{~c"MARKER", String.to_charlist(marker)}],
        wait_boot: 60_000
      })

    os_pid = peer |> :peer.call(:os, :getpid, []) |> List.to_integer()
    # It may be about to end, since the test has.
    ExUnit.Callbacks.on_exit(fn -> System.shell("kill -KILL #{os_pid} 2>/dev/null") end)
    second = %__MODULE__{peer: peer, os_pid: os_pid}
    :ok = call(second, Application, :put_env, [:muontrap, :fork_server, ForkServer.used?()])
    {:ok, _applications} = call(second, Application, :ensure_all_started, [:muontrap])
    second
  end

  # The usual soft limit of 1024 files is too low for a thousand ports; the hard one is higher.
  defp exec(descriptors, script) do
    ~c"[ $(ulimit -n) = unlimited ] || [ $(ulimit -n) -ge #{descriptors} ] || " ++
      ~c"ulimit -n #{descriptors} || exit; #{script}; exec erl \"$@\""
  end

  defp ebins do
    for application <- [:elixir, :ex_unit, :logger, :muontrap],
        do: :code.lib_dir(application) ++ ~c"/ebin"
  end

  @doc "Calls a function there, and returns its result."
  @spec call(t(), module(), atom(), list()) :: term()
  def call(second, module, function, args) do
    :peer.call(second.peer, module, function, args, :infinity)
  end

  @doc "Runs a function there in a new process, and does not wait for it."
  @spec spawn(t(), module(), atom(), list()) :: pid()
  def spawn(second, module, function, args) do
    call(second, :erlang, :spawn, [module, function, args])
  end

  @doc "Sends SIGKILL to it alone."
  @spec kill(t() | pos_integer()) :: :ok
  def kill(%__MODULE__{os_pid: os_pid}), do: kill(os_pid)
  def kill(os_pid), do: OS.kill(os_pid, "KILL")
end
