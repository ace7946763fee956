# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Process.State do
  @moduledoc false

  # The state of a handle, and what of it users may see.

  alias MuonTrap.{Caller, Info, Input, Options, Result, Session}
  alias MuonTrap.Process.Output

  @enforce_keys [:options, :input, :owner, :receiver]
  defstruct [
    :options,
    :input,
    :owner,
    :receiver,
    :monitor,
    :session,
    :os_pids,
    :started_at,
    :result,
    active: false,
    output: Output.new(),
    readers: :queue.new(),
    callers: %{},
    stopping?: false,
    unacknowledged: 0,
    stdout_bytes: 0,
    stderr_bytes: 0
  ]

  @type active :: boolean() | :once | pos_integer()

  @typedoc """
  `receiver` gets the messages while the handle is `active`. `unacknowledged` are bytes of output that were read. There
  is a session as long as the program runs, and a result after that. `callers` wait for what is not output, the last one
  first, by the name of their function. A handle that is `stopping?` stops with its program, whether the callers of stop
  still wait or not.
  """
  @type t :: %__MODULE__{
          options: Options.t(),
          input: Input.Queue.t(),
          owner: pid(),
          receiver: pid(),
          monitor: reference() | nil,
          session: Session.t() | nil,
          os_pids: {session :: pos_integer(), program :: pos_integer()} | nil,
          started_at: integer() | nil,
          result: Result.t() | nil,
          active: active(),
          output: Output.t(),
          readers: :queue.queue({Caller.t(), :chunk | :line}),
          callers: %{optional(atom()) => [Caller.t()]},
          stopping?: boolean(),
          unacknowledged: non_neg_integer(),
          stdout_bytes: non_neg_integer(),
          stderr_bytes: non_neg_integer()
        }

  @doc "The state before the program is started."
  @spec new(Options.t(), owner :: pid()) :: t()
  def new(options, owner) do
    %__MODULE__{
      options: options,
      input: Input.Queue.new(options),
      owner: owner,
      receiver: owner,
      active: options.active
    }
  end

  @doc "Sets the session of the program, which was started."
  @spec started(t(), Session.t()) :: t()
  def started(state, session) do
    %{
      state
      | # The environment is no longer needed, and may contain secrets.
        options: %{state.options | env: []},
        session: session,
        os_pids: {session.os_pid, session.program_pid},
        started_at: Info.now(),
        input: Input.Queue.started(state.input, session)
    }
  end

  @doc "Adds output that has come."
  @spec output(t(), Output.stream(), binary()) :: t()
  def output(state, stream, data) do
    state = %{state | output: Output.push(state.output, stream, data)}

    case stream do
      :stdout -> %{state | stdout_bytes: state.stdout_bytes + byte_size(data)}
      :stderr -> %{state | stderr_bytes: state.stderr_bytes + byte_size(data)}
    end
  end

  @doc "Removes the session of a program that has ended."
  @spec ended(t(), MuonTrap.Session.Frame.report()) :: t()
  def ended(state, report) do
    input = Input.Queue.ended(state.input)
    result = struct!(Result, Map.put(report, :input_bytes, input.written))
    %{state | session: nil, input: input, result: result}
  end

  @doc "The information that `MuonTrap.Process.info/1` returns."
  @spec info(t()) :: MuonTrap.Process.info()
  def info(state), do: state |> Map.from_struct() |> Map.put(:report, state.result) |> Info.new()
end
