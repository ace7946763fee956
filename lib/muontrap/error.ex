# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Error do
  @moduledoc """
  The error of a program that could not be run, or whose end is unknown.

  `MuonTrap.cmd/3` and `MuonTrap.run/3` raise it; `MuonTrap.Daemon.start_link/3` returns it as
  `{:error, error}`; a `MuonTrap.Daemon` whose helper was killed, or whose program
  was not ready in time or was stopped by its watchdog, stops with it.

  The fields:

    * `:step` - what failed, see `t:step/0`
    * `:path` - the file, directory, program, user or group that the error is about, or `nil`
    * `:errno` - the error of the system call as an atom such as `:enoent`
      ([errno(3)](https://man7.org/linux/man-pages/man3/errno.3.html)), as a number if it is a
      rare one, or `nil` if no system call failed
    * `:message` - a description; `Exception.message/1` adds the path, the error and the advice to it
    * `:advice` - how to fix it, or `nil`
    * `:exit_status` - the exit status of the helper: 125 if it could not set up the program, 126 if
      the program cannot be executed, 127 if there is no such program; `nil` if it did not exit

  For a program that is missing or not executable, `MuonTrap.cmd/3` and `MuonTrap.run/3` raise an
  `ErlangError` with `:enoent` or `:eacces` instead, as `System.cmd/3` does.
  """

  alias MuonTrap.Error.Errno
  alias MuonTrap.Native
  alias MuonTrap.Options.Table.Rights

  # The options that are steps of their own.
  @rights for row <- [:cmd] |> Rights.group() |> elem(1), do: row.name

  @typedoc """
  What failed:

    * `:options` - the helper cannot use a value
    * `:stdio` - the pipes between the BEAM and the helper
    * `:uid` - finding the user, or switching to it
    * `:gid` - finding the group, or switching to it
    * `:groups` - finding or setting the supplementary groups
    * `:login_env` - finding the entry of the user whose variables the option is about
    * #{Enum.map_join(@rights, ", ", &"`#{inspect(&1)}`")} - what the option of this name sets
    * `:cgroup` - creating, configuring or entering the cgroup
    * `:cd` - changing the working directory
    * `:input` - opening the file in the option `:input`
    * `:output` - opening the file in the option `:stdout` or `:stderr`
    * `:spawn` - creating the pipes or the process
    * `:exec` - executing the program: its interpreter is missing, it is for another machine, it is
      empty, or it is a text file without `#!`
    * `:stopped` - nothing failed: the helper was told to stop, by SIGTERM for example, before the program
      was started
    * `:ready` - a daemon's program was not ready in time, or has ended before it was
    * `:watchdog` - a daemon's program has given no sign of life for too long
    * `:helper` - the helper, `muontrap`, is missing, could not be started, or was killed
  """
  @type step ::
          unquote(Enum.reduce(@rights, &{:|, [], [&1, &2]}))
          | :options
          | :stdio
          | :uid
          | :gid
          | :groups
          | :login_env
          | :cgroup
          | :cd
          | :input
          | :output
          | :spawn
          | :exec
          | :stopped
          | :ready
          | :watchdog
          | :helper

  @type t :: %__MODULE__{
          step: step(),
          path: binary() | nil,
          errno: atom() | pos_integer() | nil,
          message: String.t(),
          advice: String.t() | nil,
          exit_status: 0..255 | nil
        }

  @enforce_keys [:step, :message]
  defexception [:step, :path, :errno, :message, :advice, :exit_status]

  @steps Map.new(
           @rights ++
             ~w(options stdio uid gid groups login_env cgroup cd input output spawn exec stopped)a,
           &{Atom.to_string(&1), &1}
         )

  @impl Exception
  @spec message(t()) :: String.t()
  def message(%__MODULE__{} = error) do
    IO.iodata_to_binary([
      error.message,
      about(error.path, error.message),
      cause(error.errno),
      advice(error.advice)
    ])
  end

  @doc false
  @spec from_failed(map()) :: t()
  def from_failed(failed) do
    %__MODULE__{
      step: Map.get(@steps, failed.step, :helper),
      path: presence(failed.path),
      errno: Errno.name(failed.errno),
      message: failed.message,
      advice: failed.advice |> with_mix() |> presence(),
      exit_status: failed.exit_status
    }
  end

  @doc false
  # The reasons of System.cmd/3 where it has one.
  @spec reason(t()) :: :enoent | :eacces | t()
  def reason(%__MODULE__{exit_status: 127}), do: :enoent
  def reason(%__MODULE__{exit_status: 126, errno: :eacces}), do: :eacces
  def reason(%__MODULE__{} = error), do: error

  # The helper refers to its own doctor, with its path.
  @doctor ~r/`[^`]*muontrap doctor(?=[ `])/

  defp with_mix(advice) do
    if mix?(), do: Regex.replace(@doctor, advice, "`mix muontrap.doctor"), else: advice
  end

  @doc false
  # Whether Mix is there. A release does not have it.
  @spec mix?() :: boolean()
  def mix?, do: Code.ensure_loaded?(Mix)

  # A message may contain the path already, with U+FFFD for bytes that are not UTF-8.
  defp about(nil, _message), do: []

  defp about(path, message) do
    if String.contains?(message, [path, "\uFFFD"]),
      do: [],
      else: [" \"", Native.printable(path), "\""]
  end

  defp cause(nil), do: []
  defp cause(errno), do: [": ", Errno.text(errno)]

  defp advice(nil), do: []
  defp advice(advice), do: [" (", advice, ")"]

  defp presence(""), do: nil
  defp presence(text), do: text
end
