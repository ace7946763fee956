# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Error do
  @moduledoc """
  Why a program could not be run, or why its end is not known.

  `MuonTrap.cmd/3` and `MuonTrap.run/3` raise it; `MuonTrap.Daemon.start_link/3` returns it as
  `{:error, error}`; a `MuonTrap.Daemon` whose helper was killed stops with it.

  The fields:

    * `:step` - what failed, see `t:step/0`
    * `:path` - the file, directory, program, user or group that it is about, or `nil`
    * `:errno` - the error of the system call as an atom such as `:enoent`
      ([errno(3)](https://man7.org/linux/man-pages/man3/errno.3.html)), as a number when it is a
      rare one, or `nil` when no system call failed
    * `:message` - what failed, in words; `Exception.message/1` adds the path, the error and the
      advice to it
    * `:advice` - what can be done about it, or `nil`
    * `:exit_status` - the exit status of the helper: 125 when it could not do its part, 126 when
      the program cannot be executed, 127 when there is no such program; `nil` when there is none

  A program that is missing or not executable is not a `MuonTrap.Error` but an `ErlangError` with
  `:enoent` or `:eacces`, as with `System.cmd/3`.
  """

  alias MuonTrap.Error.Errno
  alias MuonTrap.Native

  @typedoc """
  What failed:

    * `:options` - a value that the helper cannot use
    * `:stdio` - the pipes between the BEAM and the helper
    * `:uid` - finding the user, or switching to it
    * `:gid` - finding the group, or switching to it
    * `:groups` - finding or setting the supplementary groups
    * `:cgroup` - making, configuring or entering the cgroup
    * `:cd` - changing the working directory
    * `:spawn` - making the pipes or the process
    * `:exec` - executing the program: its interpreter is missing, it is for another machine, it is
      empty, or it is a text file without `#!`
    * `:stopped` - nothing: somebody sent SIGTERM, say, to the helper before the program was started
    * `:helper` - the helper, `muontrap`, is missing, could not be started, or died
  """
  @type step ::
          :options
          | :stdio
          | :uid
          | :gid
          | :groups
          | :cgroup
          | :cd
          | :spawn
          | :exec
          | :stopped
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
           ~w(options stdio uid gid groups cgroup cd spawn exec stopped)a,
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
      message: in_words_of_options(failed.message),
      advice: failed.advice |> in_words_of_options() |> with_mix() |> presence(),
      exit_status: failed.exit_status
    }
  end

  @doc false
  # What System.cmd/3 has its own reasons for is told in the same way.
  @spec reason(t()) :: :enoent | :eacces | t()
  def reason(%__MODULE__{exit_status: 127}), do: :enoent
  def reason(%__MODULE__{exit_status: 126, errno: :eacces}), do: :eacces
  def reason(%__MODULE__{} = error), do: error

  # The helper speaks of its flags where messages begin, and at the end of advice.
  @flag ~r/(?:\A| with )\K--([a-z][a-z0-9-]*)(?= cannot be |\z)/
  @options %{
    "controller" => ":cgroup_controllers",
    "group" => ":cgroup_path or :cgroup_base",
    "set" => ":cgroup_sets or :cgroup"
  }

  defp in_words_of_options(text) do
    Regex.replace(@flag, text, fn _flag, name ->
      @options[name] || ":" <> String.replace(name, "-", "_")
    end)
  end

  # The helper names its own doctor, by its path.
  @doctor ~r/`[^`]*muontrap doctor(?=[ `])/

  defp with_mix(advice) do
    if mix?(), do: Regex.replace(@doctor, advice, "`mix muontrap.doctor"), else: advice
  end

  @doc false
  # Whether there is a Mix to give advice about. A release has none.
  @spec mix?() :: boolean()
  def mix?, do: Code.ensure_loaded?(Mix)

  # A message may name the path already, with U+FFFD for what is not UTF-8.
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
