# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options do
  @moduledoc """
  Validates the options of `MuonTrap.cmd/3`, `MuonTrap.run/3` and `MuonTrap.Daemon.start_link/3`.

  These functions call it themselves. Call `validate/4` to check a command and its options without
  running anything.
  """

  alias MuonTrap.{ExecError, Native}
  alias MuonTrap.Options.{Env, Mistake, Table, Type}

  @typedoc "Which function the options are for."
  @type context :: :cmd | :run | :daemon

  @typedoc """
  Validated options: every key is there, with its default where no value was given.

  `:command` is the command as it was given; `validate/4` adds `:cmd`, the path of the program. `:uid`, `:gid`,
  `:groups` and `:stop_signal` are as the helper takes them; `:env` does not show its values.
  `:cgroup_sets` holds the settings of `:cgroup_sets` and `:cgroup`, as pairs of name and value.
  `:capture_output` says whether any output is captured.
  """
  @type t :: %{required(atom()) => term()}

  @doc """
  Validates a command, its arguments and its options.

  `context` is `:cmd`, `:run` or `:daemon`: some options are for some functions only. Looks the
  command up as `System.cmd/3` does: an absolute path is taken as it is, anything else is looked for
  in `PATH`.

  Raises `ArgumentError` for anything that is not valid, and `ErlangError` with `:enoent` when the
  command is not found in `PATH`.

  ## Examples

      iex> options = MuonTrap.Options.validate(:cmd, "sh", ["-c", "exit 3"], timeout: 1000)
      iex> {options.command, options.args, options.timeout, options.delay_to_sigkill}
      {"sh", ["-c", "exit 3"], 1000, 500}

      iex> MuonTrap.Options.validate(:cmd, "sh", [], uid: 0)
      ** (ArgumentError) invalid option :uid with value 0: root is refused, as programs are to have fewer rights than the BEAM (leave the option out to run as the BEAM does)
  """
  @spec validate(context(), binary(), [binary()], keyword()) :: t()
  def validate(context, command, args, opts) do
    options = check(context, command, args, opts)

    case program(command) do
      nil -> ExecError.raise(:enoent, command, context)
      program -> Map.put(options, :cmd, program)
    end
  end

  @doc false
  # As validate/4, without looking the command up: the session does.
  @spec check(context(), binary(), [binary()], keyword()) :: t()
  def check(context, command, args, opts) when context in [:cmd, :run, :daemon] do
    Mistake.check_arguments(context, command, args, opts)

    options =
      opts
      |> Enum.reduce(Table.defaults(), &put_option(context, &1, &2))
      |> check_combinations()

    Map.merge(options, %{
      command: command,
      args: args,
      capture_output: capture_output?(context, options)
    })
  end

  @doc false
  # Options as they were given, but with nothing in them that may be an environment, which is for
  # stacktraces and for the specifications of children that supervisors log. start_link/3 takes
  # them.
  @spec hide_env(term()) :: term()
  def hide_env([{key, value} = option | options]) do
    option = if key != :env and Table.known?(key), do: option, else: {key, Env.hide(value)}
    [option | hide_env(options)]
  end

  def hide_env([key | options]) when is_atom(key), do: [key | hide_env(options)]
  def hide_env([]), do: []
  def hide_env(other), do: Env.hide(other)

  @doc false
  # Whether there is something to execute at an absolute path is for the session to say.
  @spec program(binary()) :: binary() | nil
  def program("/" <> _rest = path), do: path
  def program(command), do: Native.find_executable(command)

  defp capture_output?(:daemon, options),
    do: logs?(options) or options.capture_stderr_only

  defp capture_output?(_context, options), do: options.use_stdio

  defp logs?(options), do: options.log_output != nil or options.logger_fun != nil

  defp put_option(context, {name, value}, options) do
    with {:ok, row} <- Table.fetch(name),
         true <- context in row.contexts do
      case Type.parse(row.type, value) do
        {:ok, parsed} -> put(options, name, parsed)
        {:error, reason} -> raise Mistake.invalid_value(name, value, reason)
      end
    else
      _unknown -> raise Mistake.unknown_option(name, value, context)
    end
  end

  # The three options for settings add up.
  defp put(options, :cgroup, settings), do: add_cgroup(options, [], settings)
  defp put(options, :cgroup_controllers, names), do: add_cgroup(options, names, [])
  defp put(options, :cgroup_sets, {names, settings}), do: add_cgroup(options, names, settings)
  defp put(options, name, value), do: Map.put(options, name, value)

  defp add_cgroup(options, controllers, settings) do
    %{
      options
      | cgroup_controllers: Enum.uniq(options.cgroup_controllers ++ controllers),
        cgroup_sets: options.cgroup_sets ++ settings
    }
  end

  defp check_combinations(options) do
    cond do
      not options.use_stdio and options.stderr_to_stdout ->
        raise ArgumentError, "cannot use \"stderr_to_stdout: true\" and \"use_stdio: false\""

      not options.use_stdio and options.capture_stderr_only ->
        raise ArgumentError, "cannot use \"capture_stderr_only: true\" and \"use_stdio: false\""

      not options.use_stdio and logs?(options) ->
        raise ArgumentError, "cannot log the output with \"use_stdio: false\""

      true ->
        check_cgroup(options)
    end
  end

  defp check_cgroup(%{cgroup_path: path, cgroup_base: base}) when path != nil and base != nil do
    raise ArgumentError, "cannot specify both a :cgroup_path and a :cgroup_base"
  end

  defp check_cgroup(%{cgroup_path: nil, cgroup_base: nil} = options)
       when options.cgroup_controllers != [] or options.cgroup_sets != [] do
    raise ArgumentError, "cgroup controllers and settings need a :cgroup_path or a :cgroup_base"
  end

  defp check_cgroup(options), do: options
end
