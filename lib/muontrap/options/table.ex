# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Table do
  @moduledoc false

  # Every option in one place: its type, which checks it and says what is permitted, its default,
  # the functions that take it, and the flag of the helper that it becomes.

  alias MuonTrap.LineBuffer
  alias MuonTrap.Options.{Cgroup, Env, Limits, Signals, Type, Users, Values}

  @type context :: :cmd | :run | :daemon

  @type row :: %{
          name: atom(),
          type: Type.t(),
          default: term(),
          contexts: [context(), ...],
          field: atom() | nil
        }

  @all [:cmd, :run, :daemon]
  @commands [:cmd, :run]
  @daemon [:daemon]

  # What fits a field of START, and what `receive` takes for a timeout.
  @largest_number 0xFFFFFFFF

  @bytes "a number of bytes"
  @signals Signals.expected()
  @cgroup_path "a path within the cgroup hierarchy such as \"muontrap/web\", without \".\", \"..\" and " <>
                 "the mount point in front"
  @controllers "a list of names of controllers, such as [\"memory\", \"pids\"]"
  @sets "a list of {controller, setting, value}, such as [{\"memory\", \"memory.max\", 1_000_000}]"
  @logger_funs "a function of one argument, {module, function} or {module, function, args}"
  @line_bytes {:integer, LineBuffer.smallest_max(), :infinity, @bytes}

  row = fn name, type, contexts, more ->
    row = %{name: name, type: type, default: nil, contexts: contexts, field: nil}
    Map.merge(row, Map.new(more))
  end

  milliseconds = &{:integer, &1, @largest_number, "a number of milliseconds"}

  # In the order of the documentation.
  @rows [
    row.(
      :into,
      {:custom, {Values, :collectable}, "a Collectable, such as \"\", [] or IO.stream()"},
      @commands,
      default: ""
    ),
    row.(:lines, {:integer, 1, :infinity, @bytes}, @commands, []),
    row.(:stderr_to_stdout, :boolean, @all, default: false),
    row.(:use_stdio, :boolean, @all, default: true),
    row.(:parallelism, :boolean, @all, []),
    row.(:env, {:secret, Env, :parse}, @all, default: []),
    row.(:timeout, {:or, :infinity, milliseconds.(1)}, @commands, default: :infinity),
    row.(:delay_to_sigkill, milliseconds.(0), @all, default: 500, field: :delay_to_sigkill),
    row.(:stdio_window, {:integer, 1, @largest_number, @bytes}, @all,
      default: 10_240,
      field: :stdio_window
    ),
    row.(:capture_stderr_only, :boolean, @all, default: false),
    row.(:arg0, :string, @all, field: :arg0),
    row.(:cd, :path, @all, field: :cd),
    row.(:uid, {:custom, {Users, :parse}, Users.expected("user")}, @all, field: :uid),
    row.(:gid, {:custom, {Users, :parse}, Users.expected("group")}, @all, field: :gid),
    row.(:groups, {:custom, {Users, :parse_list}, Users.expected_list()}, @all, field: :groups),
    row.(:stop_signal, {:custom, {Signals, :parse}, @signals}, @all, field: :stop_signal),
    row.(:orphans, {:one_of, [:kill, :leave]}, @all, field: :orphans),
    row.(:cgroup_base, {:custom, {Cgroup, :parse_path}, @cgroup_path}, @all, []),
    row.(:cgroup_path, {:custom, {Values, :own_cgroup_path}, @cgroup_path}, @all, []),
    row.(
      :cgroup,
      {:custom, {Limits, :parse}, "a map of limits, such as %{memory_max: 1_000_000}"},
      @all,
      []
    ),
    row.(:cgroup_controllers, {:custom, {Cgroup, :parse_controllers}, @controllers}, @all,
      default: []
    ),
    row.(:cgroup_sets, {:custom, {Values, :parse_sets}, @sets}, @all, default: []),
    row.(
      :name,
      {:custom, {Values, :name}, "an atom, {:global, term} or {:via, module, term}"},
      @daemon,
      []
    ),
    row.(:log_output, {:custom, {Values, :log_level}, Values.log_levels()}, @daemon, []),
    row.(:log_prefix, :binary, @daemon, []),
    row.(:log_transform, {:function, 1}, @daemon, []),
    row.(:logger_metadata, :keyword, @daemon, default: []),
    row.(:logger_fun, {:custom, {Values, :logger_fun}, @logger_funs}, @daemon, []),
    row.(:log_max_line_bytes, @line_bytes, @daemon, default: 65_536),
    row.(:exit_status_to_reason, {:function, 1}, @daemon, []),
    row.(:wait_for, {:function, 0}, @daemon, [])
  ]

  @by_name Map.new(@rows, &{&1.name, &1})
  # The limits of :cgroup go to the settings.
  @defaults for row <- @rows, row.name != :cgroup, into: %{}, do: {row.name, row.default}
  @fields for row <- @rows, row.field != nil, do: {row.name, row.field}

  @doc "The names of all options that a function takes."
  @spec names(context()) :: [atom(), ...]
  def names(context), do: for(row <- @rows, context in row.contexts, do: row.name)

  @doc "The row of an option."
  @spec fetch(term()) :: {:ok, row()} | :error
  def fetch(name), do: Map.fetch(@by_name, name)

  @doc "Whether there is an option of this name, for whatever function."
  @spec known?(term()) :: boolean()
  def known?(name), do: is_map_key(@by_name, name)

  @doc "What each option is when it is not given."
  @spec defaults() :: %{required(atom()) => term()}
  def defaults, do: @defaults

  @doc "The fields of START that take an option's value, in order."
  @spec fields() :: [{atom(), atom()}]
  def fields, do: @fields
end
