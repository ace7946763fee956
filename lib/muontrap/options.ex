# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options do
  @moduledoc """
  Validates the options of `MuonTrap.cmd/3`, `MuonTrap.run/3` and `MuonTrap.Daemon.start_link/3`.

  These functions call it themselves. Call `validate/4` to check a command and its options without
  running anything.
  """

  alias MuonTrap.{LineBuffer, Native}
  alias MuonTrap.Options.{Cgroup, Env, Signals, Users}

  import MuonTrap.Options.Text, only: [text?: 1]

  @typedoc "Which function the options are for."
  @type context :: :cmd | :run | :daemon

  @typedoc """
  Validated options: every key is there, with its default where no value was given.

  `:command` is the command as it was given and `:cmd` the path of the program. `:uid`, `:gid`,
  `:groups` and `:stop_signal` are as the helper takes them; `:env` does not show its values.
  `:cgroup_sets` holds the settings of `:cgroup_sets` and `:cgroup`, as pairs of name and value.
  `:capture_output` says whether any output is captured.
  """
  @type t :: %{required(atom()) => term()}

  @defaults %{
    arg0: nil,
    capture_stderr_only: false,
    cd: nil,
    cgroup_base: nil,
    cgroup_controllers: [],
    cgroup_path: nil,
    cgroup_sets: [],
    delay_to_sigkill: 500,
    env: [],
    exit_status_to_reason: nil,
    gid: nil,
    groups: nil,
    into: "",
    lines: nil,
    log_max_line_bytes: 65_536,
    log_output: nil,
    log_prefix: nil,
    log_transform: nil,
    logger_fun: nil,
    logger_metadata: [],
    name: nil,
    orphans: nil,
    parallelism: nil,
    stderr_to_stdout: false,
    stdio_window: 10_240,
    stop_signal: nil,
    timeout: :infinity,
    uid: nil,
    use_stdio: true,
    wait_for: nil
  }

  @known Map.put(@defaults, :cgroup, nil)

  # What fits the helper's flags, and what `receive` takes for a timeout.
  @largest_number 0xFFFFFFFF

  @log_levels [:emergency, :alert, :critical, :error, :warning, :notice, :info, :debug]

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
      ** (ArgumentError) invalid option :uid with value 0
  """
  @spec validate(context(), binary(), [binary()], keyword()) :: t()
  def validate(context, command, args, opts)
      when context in [:cmd, :run, :daemon] and is_binary(command) and is_list(args) and
             is_list(opts) do
    check_command(command, context)
    check_args(args, context)

    options =
      opts
      |> Enum.reduce(@defaults, &put_option(context, &1, &2))
      |> check_combinations()

    Map.merge(options, %{
      command: command,
      cmd:
        program(command) ||
          :erlang.error(:enoent, [context, command, args, hide_env(opts)]),
      args: args,
      capture_output: capture_output?(context, options)
    })
  end

  @doc false
  # Options as they were given, but with nothing in them that may be an environment, which is for
  # stacktraces and for the specifications of children that supervisors log. start_link/3 takes them.
  @spec hide_env(term()) :: term()
  def hide_env([{key, value} | options]) when key != :env and is_map_key(@known, key),
    do: [{key, value} | hide_env(options)]

  def hide_env([{key, value} | options]), do: [{key, Env.hide(value)} | hide_env(options)]
  def hide_env([key | options]) when is_atom(key), do: [key | hide_env(options)]
  def hide_env([]), do: []
  def hide_env(other), do: Env.hide(other)

  defp check_command(command, context) do
    if not text?(command) do
      raise ArgumentError,
            "cannot execute #{function(context)} for program with null byte, " <>
              "got: #{inspect(command)}"
    end
  end

  defp check_args(args, context) do
    if not Enum.all?(args, &is_binary/1) do
      raise ArgumentError, "all arguments for #{function(context)} must be binaries"
    end

    if not Enum.all?(args, &text?/1) do
      raise ArgumentError,
            "cannot execute #{function(context)} with a null byte in an argument, " <>
              "got: #{inspect(args)}"
    end
  end

  defp function(:cmd), do: "MuonTrap.cmd/3"
  defp function(:run), do: "MuonTrap.run/3"
  defp function(:daemon), do: "MuonTrap.Daemon.start_link/3"

  # Whether there is something to execute at an absolute path is for the helper to say.
  defp program("/" <> _rest = path), do: path
  defp program(command), do: Native.find_executable(command)

  defp capture_output?(:daemon, options),
    do: logs?(options) or options.capture_stderr_only

  defp capture_output?(_context, options), do: options.use_stdio

  defp logs?(options), do: options.log_output != nil or options.logger_fun != nil

  # Its value is not shown: it may be an environment, as in `envs:`.
  defp put_option(_context, {key, _value}, _options) when not is_map_key(@known, key) do
    raise ArgumentError, "invalid option #{inspect(key)}: there is no option of this name"
  end

  defp put_option(context, {key, value} = option, options) do
    case parse(context, key, value) do
      {:ok, parsed} -> Map.put(options, key, parsed)
      {:merge, merge} -> merge.(options)
      {:error, reason} when key == :env -> raise ArgumentError, "invalid option :env: " <> reason
      {:error, reason} -> raise ArgumentError, invalid(option) <> ": " <> reason
      :error -> raise ArgumentError, invalid(option)
    end
  end

  defp put_option(_context, _other, _options) do
    raise ArgumentError, "expected options to be a keyword list, got an element that is no pair"
  end

  defp invalid({key, value}), do: "invalid option #{inspect(key)} with value #{inspect(value)}"

  # System.cmd/3 options
  defp parse(context, :into, value) when context != :daemon, do: {:ok, value}

  defp parse(context, :lines, value) when context != :daemon and is_integer(value) and value > 0,
    do: {:ok, value}

  defp parse(_any, key, value) when key in [:cd, :arg0], do: text(value)
  defp parse(_any, :env, value), do: Env.parse(value)

  defp parse(_any, key, value)
       when key in [:stderr_to_stdout, :use_stdio, :parallelism] and is_boolean(value),
       do: {:ok, value}

  # Running and stopping
  defp parse(context, :timeout, :infinity) when context != :daemon, do: {:ok, :infinity}

  defp parse(context, :timeout, value) when context != :daemon and value in 1..@largest_number,
    do: {:ok, value}

  defp parse(_any, :delay_to_sigkill, value) when value in 0..@largest_number, do: {:ok, value}
  defp parse(_any, :stdio_window, value) when value in 1..@largest_number, do: {:ok, value}
  defp parse(_any, :capture_stderr_only, value) when is_boolean(value), do: {:ok, value}
  defp parse(_any, :stop_signal, value), do: Signals.parse(value)
  defp parse(_any, :orphans, value) when value in [:kill, :leave], do: {:ok, value}

  # Users and groups
  defp parse(_any, key, value) when key in [:uid, :gid], do: Users.parse(value)
  defp parse(_any, :groups, value), do: Users.parse_list(value)

  # cgroups
  defp parse(_any, :cgroup_path, "/"), do: {:error, "the root group cannot be used"}
  defp parse(_any, key, value) when key in [:cgroup_path, :cgroup_base], do: cgroup_path(value)

  defp parse(_any, :cgroup_controllers, value) do
    with {:ok, controllers} <- Cgroup.parse_controllers(value),
         do: {:merge, &add_cgroup(&1, controllers, [])}
  end

  defp parse(_any, :cgroup_sets, value) do
    with {:ok, controllers, settings} <- Cgroup.parse_sets(value),
         do: {:merge, &add_cgroup(&1, controllers, settings)}
  end

  defp parse(_any, :cgroup, value) do
    case Cgroup.parse_limits(value) do
      {:ok, settings} -> {:merge, &add_cgroup(&1, [], settings)}
      {:error, key} -> {:error, "#{inspect(key)} is not a limit or cannot have this value"}
      :error -> {:error, "expected a map"}
    end
  end

  # MuonTrap.Daemon options
  defp parse(:daemon, :name, value) when is_atom(value), do: {:ok, value}
  defp parse(:daemon, :name, {:global, _name} = value), do: {:ok, value}
  defp parse(:daemon, :name, {:via, module, _} = value) when is_atom(module), do: {:ok, value}
  defp parse(:daemon, :log_output, :warn), do: {:ok, :warning}
  defp parse(:daemon, :log_output, value) when value in @log_levels, do: {:ok, value}
  defp parse(:daemon, :log_prefix, value) when is_binary(value), do: {:ok, value}
  defp parse(:daemon, :log_transform, value) when is_function(value, 1), do: {:ok, value}
  defp parse(:daemon, :logger_fun, value) when is_function(value, 1), do: {:ok, value}

  defp parse(:daemon, :logger_fun, {module, function} = value)
       when is_atom(module) and is_atom(function),
       do: {:ok, value}

  defp parse(:daemon, :logger_fun, {module, function, args} = value)
       when is_atom(module) and is_atom(function) and is_list(args),
       do: {:ok, value}

  defp parse(:daemon, :logger_metadata, value) do
    if Keyword.keyword?(value), do: {:ok, value}, else: {:error, "expected a keyword list"}
  end

  defp parse(:daemon, :log_max_line_bytes, value) when is_integer(value) do
    smallest = LineBuffer.smallest_max()
    if value >= smallest, do: {:ok, value}, else: {:error, "expected at least #{smallest}"}
  end

  defp parse(:daemon, :exit_status_to_reason, value) when is_function(value, 1), do: {:ok, value}
  defp parse(:daemon, :wait_for, value) when is_function(value, 0), do: {:ok, value}
  defp parse(_context, _key, _value), do: :error

  defp text(value), do: if(text?(value), do: {:ok, value}, else: :error)

  defp cgroup_path(value) do
    with :error <- Cgroup.parse_path(value) do
      {:error,
       "expected a path within the cgroup hierarchy, without \".\" and \"..\" and without the " <>
         "mount point in front"}
    end
  end

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
