# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options do
  @moduledoc """
  The options of `MuonTrap.cmd/3`, `MuonTrap.run/3`, `MuonTrap.stream!/3`, `MuonTrap.Daemon.start_link/3` and
  `MuonTrap.Process.start_link/3`, checked.

  These functions check their options themselves. Call `validate/4` to check a command and its options
  without running anything.
  """

  alias MuonTrap.Error.Exec
  alias MuonTrap.Native

  alias MuonTrap.Options.{
    Arguments,
    Combinations,
    Env,
    Errors,
    Limits,
    Table,
    Type,
    Typespec
  }

  # Derived from the arguments and from several options. :cgroup becomes a part of :cgroup_sets.
  @derived [context: nil, command: nil, args: [], cmd: nil, capture_output: false]
  @rows Enum.reject(Table.rows(), &(&1.name == :cgroup))

  @enforce_keys [:context, :command, :args]
  defstruct @derived ++ for(row <- @rows, do: {row.name, row.default})

  {common, others} = Enum.split_with(Table.rows(), &(Table.contexts() -- &1.contexts == []))

  given = fn rows ->
    Typespec.union(for row <- rows, do: {row.name, Typespec.typespec(row.type, :given)})
  end

  others = fn context -> given.(Enum.filter(others, &(context in &1.contexts))) end

  parsed =
    for row <- @rows do
      typespec = Typespec.typespec(row.type, :parsed)
      {row.name, if(row.default == nil, do: quote(do: unquote(typespec) | nil), else: typespec)}
    end

  @typedoc "The function that the options are for."
  @type context :: unquote(Typespec.union(Table.contexts()))

  @typedoc "A limit in `:rlimits`: for both, or the soft and the hard one."
  @type rlimit ::
          non_neg_integer()
          | :unlimited
          | {non_neg_integer() | :unlimited, non_neg_integer() | :unlimited}

  @typedoc "An option of every function."
  @type common_option :: unquote(given.(common))

  @typedoc "An option of `MuonTrap.cmd/3`, and of `MuonTrap.run/3`, which has the same."
  @type cmd_option :: common_option() | unquote(others.(:cmd))

  @typedoc "An option of `MuonTrap.shell/2`."
  @type shell_option :: common_option() | unquote(others.(:shell))

  @typedoc "An option of `MuonTrap.stream/3`."
  @type stream_option :: common_option() | unquote(others.(:stream))

  @typedoc "An option of `MuonTrap.stream!/3`."
  @type stream_bang_option :: common_option() | unquote(others.(:stream!))

  @typedoc "An option of `MuonTrap.Daemon.start_link/3`."
  @type daemon_option :: common_option() | unquote(others.(:daemon))

  @typedoc "An option of `MuonTrap.Process.start_link/3`."
  @type process_option :: common_option() | unquote(others.(:process))

  @typedoc "An option of any function."
  @type option ::
          cmd_option()
          | shell_option()
          | stream_option()
          | stream_bang_option()
          | daemon_option()
          | process_option()

  @typedoc """
  Checked options: every option has its value, or its default.

  `:command` is the command as it was given, and `:cmd` the path of the program, which only
  `validate/4` finds out. `:uid`, `:gid`, `:groups` and `:stop_signal` are in the form that the helper
  expects; `:env` does not show its values. `:cgroup_sets` contains the settings of `:cgroup_sets` and
  `:cgroup`, as pairs of name and value. `:stdout` and `:stderr` say where these go, whichever options
  were given, and `:capture_output` whether any output is captured.
  """
  @type t :: %__MODULE__{
          unquote_splicing(
            [
              context: quote(do: context()),
              command: quote(do: binary()),
              args: quote(do: [binary()]),
              cmd: quote(do: binary() | nil),
              capture_output: quote(do: boolean())
            ] ++ parsed
          )
        }

  @doc """
  Checks a command, its arguments and its options.

  `context` is the function that the options are for: `:cmd`, `:run`, `:shell`, `:stream`, `:stream!`,
  `:daemon` or `:process`. Looks the command
  up as `System.cmd/3` does: an absolute path is taken as it is, anything else is looked for in `PATH`.

  Raises `ArgumentError` for anything that is not valid, and `ErlangError` with `:enoent` when the
  command is not found in `PATH`.

  ## Examples

      iex> options = MuonTrap.Options.validate(:cmd, "sh", ["-c", "exit 3"], timeout: 1000)
      iex> {options.command, options.args, options.timeout, options.delay_to_sigkill}
      {"sh", ["-c", "exit 3"], 1000, 500}

      iex> MuonTrap.Options.validate(:cmd, "sh", [], uid: 0)
      ** (ArgumentError) invalid option :uid with value 0: root is refused, as programs are to have fewer rights than the BEAM (leave the option out to run as the BEAM does)
  """
  @spec validate(context(), binary(), [binary()], [option()]) :: t()
  def validate(context, command, args, opts) do
    options = new(context, command, args, opts)

    case program(command) do
      nil -> Exec.raise(:enoent, command, context)
      program -> %{options | cmd: program}
    end
  end

  @doc false
  # As validate/4, without looking the command up: the session does that. Everything behind the
  # public functions works with this struct.
  @spec new(context(), binary(), [binary()], [option()]) :: t()
  def new(context, command, args, opts) do
    Arguments.check(Table.function(context), command, args, opts)

    %{check(context, opts) | command: command, args: args}
  end

  defp check(context, []), do: without_options(context)

  defp check(context, opts),
    do: opts |> Enum.reduce(defaults(context), &put_option/2) |> Combinations.resolve(opts)

  # Literals, so that a call without options costs nothing.
  for context <- Table.contexts() do
    defaults =
      (@derived ++ for(row <- @rows, do: {row.name, row.default}))
      |> Keyword.merge(for row <- @rows, value = row.defaults[context], do: {row.name, value})
      |> Map.new()
      |> Map.merge(%{__struct__: __MODULE__, context: context})

    defp defaults(unquote(context)), do: unquote(Macro.escape(defaults))

    defp without_options(unquote(context)),
      do: unquote(Macro.escape(Combinations.resolve(defaults, [])))
  end

  # Hidden by hide_secrets/1.
  defp put_option({:input, %Env{reveal: reveal}}, options),
    do: put_option({:input, reveal.()}, options)

  defp put_option({name, value}, options) do
    case Table.fetch(name) do
      {:ok, row} -> parse_option(row, value, options)
      :error -> raise Errors.unknown_option(name, options.context)
    end
  end

  defp parse_option(row, value, options) do
    if options.context not in row.contexts,
      do: raise(Errors.misplaced_option(row, value, options.context))

    case Type.parse(row.type, value) do
      {:ok, parsed} -> put(options, row.name, parsed)
      {:error, reason} -> raise Errors.invalid_value(row, value, reason)
    end
  end

  # The three options for settings add up.
  defp put(options, :cgroup, limits), do: add_cgroup(options, [], Limits.settings(limits))
  defp put(options, :cgroup_controllers, names), do: add_cgroup(options, names, [])
  defp put(options, :cgroup_sets, {names, settings}), do: add_cgroup(options, names, settings)
  defp put(options, name, value), do: Map.replace!(options, name, value)

  defp add_cgroup(options, controllers, settings) do
    %{
      options
      | cgroup_controllers: Enum.uniq(options.cgroup_controllers ++ controllers),
        cgroup_sets: options.cgroup_sets ++ settings
    }
  end

  @doc false
  # Options as they were given, with everything hidden that may be secret, for stacktraces and for
  # child specifications, which supervisors log. start_link/3 accepts hidden values.
  @spec hide_secrets(term()) :: term()
  def hide_secrets([{key, value} = option | options]) do
    option =
      case Table.fetch(key) do
        {:ok, %{secret: false}} -> option
        {:ok, %{secret: :data}} -> {key, hide_data(value)}
        _secret_or_unknown -> {key, Env.hide(value)}
      end

    [option | hide_secrets(options)]
  end

  def hide_secrets([key | options]) when is_atom(key), do: [key | hide_secrets(options)]
  def hide_secrets([]), do: []
  def hide_secrets(other), do: Env.hide(other)

  defp hide_data(value) when is_atom(value) or is_struct(value, Env), do: value
  defp hide_data({:file, _path} = value), do: value
  # Without names, which may be data, too.
  defp hide_data(value), do: %{Env.hide([]) | reveal: fn -> value end}

  @doc false
  # The session finds out whether there is a program at an absolute path.
  @spec program(binary()) :: binary() | nil
  def program("/" <> _rest = path), do: path
  def program(command), do: Native.find_executable(command)
end
