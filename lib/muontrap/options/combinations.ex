# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Combinations do
  @moduledoc false

  # Checks options that depend on one another, when each has a valid value, and puts in what follows from several.

  alias MuonTrap.Options
  alias MuonTrap.Options.{Output, Pty, Ready, Stop, Table}
  alias MuonTrap.Output.{Collector, Gathered}

  @doc """
  Returns the options with everything that follows from several of them. `opts` are those that were given. Raises
  `ArgumentError` for the first rule that they break.
  """
  @spec resolve(Options.t(), keyword()) :: Options.t()
  def resolve(options, opts) do
    options
    |> put_window(opts)
    |> check()
    |> Stop.check(opts)
    |> close_stdin()
    |> put_output()
  end

  # Output is gathered for a slow Collectable, and a small window has no room for that.
  defp put_window(%{into: into} = options, opts) do
    if Collector.slow?(into) and not Keyword.has_key?(opts, :stdio_window),
      do: %{options | stdio_window: Gathered.default_window()},
      else: options
  end

  defp close_stdin(%{close_stdin: true} = options), do: %{options | input: :null}
  defp close_stdin(options), do: options

  defp put_output(options) do
    options = Output.resolve(options)
    %{options | capture_output: Output.captured?(options)}
  end

  defp check(options) do
    rules = rules(options) ++ Pty.rules(options) ++ Ready.rules(options)

    case List.keyfind(rules, true, 0) do
      nil -> options
      {true, message} -> raise ArgumentError, message
    end
  end

  defp rules(options) do
    inherits? = not options.use_stdio
    daemon? = options.context == :daemon
    has_group? = options.cgroup_path != nil or options.cgroup_base != nil
    has_settings? = options.cgroup_controllers != [] or options.cgroup_sets != []

    [
      {options.context in [:cmd, :shell] and options.stderr == :capture,
       "invalid option :stderr with value :capture: #{Table.function(options.context)} returns one output " <>
         "(use MuonTrap.run/3, whose result has stderr, or stderr: :to_stdout)"},
      # Where stderr is an output of its own, or takes the place of stdout.
      {not daemon? and options.stderr != nil and options.capture_stderr_only,
       "cannot use :stderr and \"capture_stderr_only: true\" (use stdout: :discard)"},
      {options.close_stdin and options.input not in [:open, :null],
       "cannot use :input and \"close_stdin: true\""},
      {inherits? and options.close_stdin,
       "cannot use \"close_stdin: true\" and \"use_stdio: false\""},
      {inherits? and options.input != :open, "cannot use :input and \"use_stdio: false\""},
      {options.context == :process and data?(options.input),
       "the :input of a handle is {:file, path}, :null or :open (use MuonTrap.Process.write/3)"},
      {daemon? and data?(options.input),
       "the :input of a daemon is {:file, path}, :null or :open (use MuonTrap.Process to write to a program)"},
      {options.login_env and options.uid == nil,
       "login_env: true needs the option :uid, the user whose variables they are"},
      {options.cgroup_path != nil and options.cgroup_base != nil,
       "cannot specify both a :cgroup_path and a :cgroup_base"},
      {has_settings? and not has_group?,
       "cgroup controllers and settings need a :cgroup_path or a :cgroup_base"}
    ]
  end

  defp data?({:enumerable, _enumerable}), do: true
  defp data?(input), do: is_binary(input) or is_list(input)
end
