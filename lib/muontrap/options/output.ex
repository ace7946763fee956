# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Output do
  @moduledoc false

  # Where stdout and stderr of a program go. Besides :stdout and :stderr, older options say so as well.

  alias MuonTrap.Options
  alias MuonTrap.Options.Type

  @typedoc "Where a stream goes."
  @type destination ::
          :capture
          | :discard
          | :inherit
          | :to_stdout
          | {:file, binary()}
          | {:file, binary(), file_options()}

  @type file_options :: %{optional(:append) => boolean(), optional(:mode) => 0..0o777}

  @file_options {:keys, :keyword, "option of a file",
                 [
                   {:append, :boolean, "whether to add to the file instead of truncating it"},
                   {:mode, :permissions, "those of a new file"}
                 ]}
  @file_type {:one_of, [:file]}
  @files [
    {:tuple, [@file_type, :path], "{:file, path}"},
    {:tuple, [@file_type, :path, @file_options], "{:file, path, opts}"}
  ]

  @doc "The type of the option `:stdout` or `:stderr`."
  @spec type(:stdout | :stderr) :: Type.t()
  def type(:stdout), do: {:or, [{:one_of, [:capture, :discard, :inherit]} | @files]}
  def type(:stderr), do: {:or, [{:one_of, [:inherit, :to_stdout, :discard, :capture]} | @files]}

  @doc """
  Puts the destinations into `:stdout` and `:stderr`. Raises `ArgumentError` for options that contradict
  each other.
  """
  @spec resolve(Options.t()) :: Options.t()
  def resolve(options) do
    stdout = agreed(wishes(:stdout, options)) || default(:stdout, options)
    stderr = agreed(wishes(:stderr, options)) || default(:stderr, options)
    check(%{options | stdout: stdout, stderr: stderr})
  end

  # The destinations that options ask for, each with the words for its option.
  defp wishes(:stdout, options) do
    [
      options.stdout && {show(:stdout, options.stdout), options.stdout},
      options.capture_stderr_only && {"capture_stderr_only: true", :discard},
      not options.use_stdio && {"use_stdio: false", :inherit}
    ]
  end

  defp wishes(:stderr, options) do
    merged? = options.stderr_to_stdout and not options.capture_stderr_only

    [
      options.stderr && {show(:stderr, options.stderr), options.stderr},
      options.capture_stderr_only && {"capture_stderr_only: true", :capture},
      merged? && {"stderr_to_stdout: true", :to_stdout},
      options.log_stderr && {"log_stderr: #{inspect(options.log_stderr)}", :capture},
      not options.use_stdio && {"use_stdio: false", :inherit},
      options.pty && {"pty: ...", :to_stdout}
    ]
  end

  defp show(stream, file) when is_tuple(file), do: "#{stream}: {:file, ...}"
  defp show(stream, destination), do: "#{stream}: #{inspect(destination)}"

  defp agreed(wishes) do
    case wishes |> Enum.filter(& &1) |> Enum.uniq_by(&elem(&1, 1)) do
      [] -> nil
      [{_option, destination}] -> destination
      [{one, _}, {other, _} | _more] -> raise contradiction(one, other)
    end
  end

  defp contradiction(one, other),
    do: ArgumentError.exception("cannot use #{inspect(one)} and #{inspect(other)}")

  defp default(:stderr, options) do
    # A function that is told the stream is for both.
    tells? = is_function(options.logger_fun, 2) or is_function(options.output_fun, 2)
    if tells?, do: :capture, else: :inherit
  end

  defp default(:stdout, %{context: :daemon} = options),
    do: if(user(options), do: :capture, else: :discard)

  defp default(:stdout, _options), do: :capture

  # An option that has no purpose unless output is captured.
  defp user(options) do
    Enum.find(users(options), &(Map.fetch!(options, &1) not in [nil, :infinity]))
  end

  defp users(%{context: :daemon} = options) do
    ready = if match?({:line, _test}, options.ready), do: [:ready], else: []
    # The program has another way to show that it is alive.
    watchdog = if options.ready == :notify, do: [], else: [:watchdog]
    [:logger_fun, :output_fun, :log_output] ++ ready ++ watchdog
  end

  defp users(_options), do: [:idle_timeout, :max_output_bytes]

  defp check(options) do
    user = user(options)

    if user != nil and not captured?(options) do
      raise ArgumentError,
            "cannot use #{inspect(user)} and #{inspect(not_captured(options))}: no output is captured"
    end

    check_files(options)
  end

  defp not_captured(%{use_stdio: false}), do: "use_stdio: false"
  defp not_captured(options), do: show(:stdout, options.stdout)

  defp check_files(%{stdout: stdout, stderr: stderr} = options) do
    if path(stdout) != nil and path(stdout) == path(stderr) and
         not (appends?(stdout) and appends?(stderr)) do
      raise ArgumentError,
            "the file #{inspect(path(stdout))} cannot be that of :stdout and of :stderr unless both have " <>
              "append: true (use stderr: :to_stdout)"
    end

    options
  end

  defp path(file) when is_tuple(file), do: elem(file, 1)
  defp path(_destination), do: nil

  defp appends?({:file, _path, %{append: append}}), do: append
  defp appends?(_destination), do: false

  @doc "Whether any output is captured."
  @spec captured?(Options.t()) :: boolean()
  def captured?(options), do: options.stdout == :capture or options.stderr == :capture

  @doc "Whether stderr is collected as an output of its own, and not as the output of `cmd/3` and `run/3`."
  @spec apart?(Options.t()) :: boolean()
  def apart?(options), do: options.stderr == :capture and not options.capture_stderr_only
end
