# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Start do
  @moduledoc false

  # The frames that open a session, HELLO and START, as docs/protocol.md describes them.

  alias MuonTrap.{Cgroup, Error, Native, Options}
  alias MuonTrap.Options.{Encoder, Env, Stop}

  @protocol 2
  # For frames until START, and for ENVIRONMENT.
  @max_bytes 8 * 1024 * 1024
  @hello 0x07
  @start 0x08

  @requests %{
    get: 0x09,
    set: 0x0A,
    statistics: 0x0B,
    config: 0x0C,
    clean: 0x0D,
    kill_leftovers: 0x0E,
    usage: 0x0F
  }

  # The fields of single options are in MuonTrap.Options.Table.
  @fields [
    program: 1,
    argument: 2,
    directory: 4,
    variable: 6,
    environment: 7,
    set: 8,
    unset: 9,
    client_directory: 12,
    stdin: 16,
    stdout: 17,
    stderr: 18,
    stdin_path: 20,
    stdout_path: 21,
    stderr_path: 22,
    stdout_append: 23,
    stderr_append: 24,
    stdout_mode: 25,
    stderr_mode: 26,
    stop_step: 35,
    notify: 37,
    cgroup_path: 64,
    cgroup_controller: 65,
    cgroup_set: 66,
    cgroup_file: 67,
    timeout: 68,
    helper: 80,
    program_pid: 81
  ]

  @typedoc "A field of START or of a request."
  @type field_name :: unquote(@fields |> Keyword.keys() |> Enum.reduce(&{:|, [], [&1, &2]}))

  @typedoc """
  The environment of the BEAM: the number by which the fork server knows it, all variables, or that which the
  session inherited.
  """
  @type environment :: {:number, pos_integer()} | {:variables, iodata()} | :inherited

  @doc "The number of the protocol."
  @spec protocol() :: pos_integer()
  def protocol, do: @protocol

  @doc "HELLO. Only a fork server has a token."
  @spec hello(binary()) :: iodata()
  def hello(token \\ ""), do: [<<@hello, @protocol::16>>, token]

  @doc """
  START, for options that were validated, and a cgroup that was chosen. An error when it is longer than a session
  accepts, which is more than the kernel accepts as arguments and environment.
  """
  @spec start(Options.t(), Cgroup.t() | nil, binary() | :client_directory, environment()) ::
          {:ok, iodata()} | {:error, Error.t()}
  def start(%{command: ""}, _group, _directory, _environment), do: {:error, no_program()}

  def start(options, group, directory, environment) do
    frame = [
      @start,
      field(:program, options.command),
      Enum.map(options.args, &field(:argument, &1)),
      directory(directory),
      environment(environment),
      notify(options),
      options.env |> Env.reveal() |> Enum.map(&change/1),
      stdin(options),
      output(:stdout, options.stdout),
      output(:stderr, options.stderr),
      for({number, value} <- Encoder.fields(options), do: raw_field(number, value)),
      options |> Stop.steps() |> List.wrap() |> Enum.map(&field(:stop_step, &1)),
      if(group, do: fields(group.fields), else: [])
    ]

    if fits?(frame), do: {:ok, frame}, else: {:error, too_long(options.command)}
  end

  @doc "Whether a frame is within the limit until START."
  @spec fits?(iodata()) :: boolean()
  def fits?(frame), do: IO.iodata_length(frame) <= @max_bytes

  # As for any other name that is not found.
  defp no_program do
    %Error{
      step: :exec,
      path: "",
      errno: :enoent,
      exit_status: 127,
      message: "a program without a name cannot be found"
    }
  end

  defp too_long(command) do
    %Error{
      step: :exec,
      path: command,
      errno: :e2big,
      exit_status: 126,
      message: "the arguments and environment of #{Native.printable(command)} are too long"
    }
  end

  @doc "A frame that has a session do something to a cgroup, or to what a helper has left behind."
  @spec request(atom(), non_neg_integer(), [{field_name(), binary() | non_neg_integer()}]) ::
          iodata()
  def request(name, number, fields),
    do: [<<Map.fetch!(@requests, name), number::32>> | fields(fields)]

  defp directory(:client_directory), do: field(:client_directory, <<1::32>>)
  defp directory(path), do: field(:directory, path)

  defp environment({:number, number}), do: raw_field(number(:environment), <<number::64>>)
  defp environment({:variables, variables}), do: variables
  defp environment(:inherited), do: []

  @doc "The variables of an environment, as fields."
  @spec variables([{binary(), binary()}]) :: iodata()
  def variables(pairs),
    do: Enum.map(pairs, fn {name, value} -> field(:variable, name <> "=" <> value) end)

  defp change({name, nil}), do: field(:unset, name)
  defp change({name, value}), do: field(:set, name <> "=" <> value)

  # The BEAM may have such variables itself, from systemd. Before :env, which may change them.
  defp notify(%{ready: :notify, watchdog: nil}),
    do: [notify_field() | Enum.map(["WATCHDOG_USEC", "WATCHDOG_PID"], &field(:unset, &1))]

  defp notify(%{ready: :notify, watchdog: ms}),
    do: [notify_field(), field(:set, "WATCHDOG_USEC=#{ms * 1000}")]

  defp notify(_options), do: []

  defp notify_field, do: field(:notify, <<1::32>>)

  # The defaults of the streams are left out: a pipe as stdin, no stdout, and the stderr of the BEAM.
  defp stdin(%{use_stdio: false}), do: field(:stdin, "inherit")
  defp stdin(%{input: :null}), do: field(:stdin, "null")
  defp stdin(%{input: {:file, path}}), do: [field(:stdin, "file"), field(:stdin_path, path)]
  defp stdin(_pipe), do: []

  defp output(:stdout, :discard), do: []
  defp output(:stderr, :inherit), do: []
  defp output(stream, :capture), do: field(stream, "capture")
  defp output(stream, :discard), do: field(stream, "null")
  defp output(stream, :inherit), do: field(stream, "inherit")
  defp output(:stderr, :to_stdout), do: field(:stderr, "stdout")
  defp output(stream, {:file, path}), do: output(stream, {:file, path, %{}})

  defp output(stream, {:file, path, opts}) do
    {path_field, append_field, mode_field} = file_fields(stream)

    [
      field(stream, "file"),
      field(path_field, path),
      if(opts[:append], do: field(append_field, <<1::32>>), else: []),
      if(opts[:mode], do: field(mode_field, <<opts.mode::32>>), else: [])
    ]
  end

  defp file_fields(:stdout), do: {:stdout_path, :stdout_append, :stdout_mode}
  defp file_fields(:stderr), do: {:stderr_path, :stderr_append, :stderr_mode}

  defp fields(fields), do: Enum.map(fields, fn {name, value} -> field(name, value) end)

  for {name, number} <- @fields do
    defp number(unquote(name)), do: unquote(number)
  end

  defp field(name, value) when name in [:timeout, :helper, :program_pid],
    do: raw_field(number(name), <<value::32>>)

  defp field(name, value), do: raw_field(number(name), value)

  @doc "One field of a payload, by its number."
  @spec raw_field(pos_integer(), iodata()) :: iodata()
  def raw_field(number, value), do: [<<number::16, IO.iodata_length(value)::32>> | value]
end
