# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Input do
  @moduledoc false

  # The input of a program that runs: iodata or an Enumerable, which is sent to the session piece by piece,
  # as far as the program reads it.
  #
  # An Enumerable is code of the user. It is suspended after each element, so that it runs in the calling
  # process, between output. Each element is sent before the next one is asked for: the latter may depend on
  # what the program does with the former. When the Enumerable fails, it has cleaned up after itself, and
  # must not be called again; so failures are returned, together with an input that is over.

  alias MuonTrap.Input.Pieces
  alias MuonTrap.{Options, Session}
  alias MuonTrap.Options.{Arguments, Table}

  # How long to send input without a look at output and deadlines.
  @slice_us 1_000

  @enforce_keys [:context]
  defstruct [:context, :continue, pieces: [], status: :over, in_flight: 0]

  @typedoc """
  `pieces` is the rest of the current element, and `continue` the continuation of an Enumerable, which has not been
  begun while the status is `:new`. `in_flight` counts the bytes that were sent and not acknowledged yet.
  """
  @type t :: %__MODULE__{
          context: Options.context(),
          continue: (Enumerable.acc() -> Enumerable.result()) | nil,
          pieces: [binary()],
          status: :new | :sending | :over,
          in_flight: non_neg_integer()
        }

  @typedoc "How code of the user failed."
  @type failure :: {:error | :exit | :throw, reason :: term(), Exception.stacktrace()}

  @doc "The input that the options ask for. That of a file, for example, is over: the session provides it."
  @spec new(Options.t()) :: t()
  def new(%{input: {:enumerable, enumerable}} = options) do
    reducer = fn element, [] -> {:suspend, [element]} end
    continue = &Enumerable.reduce(enumerable, &1, reducer)
    %__MODULE__{context: options.context, continue: continue, status: :new}
  end

  def new(%{input: input} = options) when is_binary(input) or is_list(input),
    do: %__MODULE__{context: options.context, pieces: iovec(input), status: :sending}

  def new(options), do: %__MODULE__{context: options.context}

  defp iovec(iodata), do: :erlang.iolist_to_iovec(iodata)

  @doc "Whether there may be something to send now."
  @spec sends?(t()) :: boolean()
  def sends?(input),
    do: input.status != :over and Pieces.room?(input.in_flight)

  @doc "Sends input for a moment, or until the window is full."
  @spec feed(t(), Session.t()) :: {:ok, t()} | {:failed, failure(), t()}
  def feed(input, session) do
    if sends?(input),
      do: feed(input, session, now() + @slice_us),
      else: {:ok, input}
  end

  defp feed(input, session, deadline) do
    with {:ok, input} <- send_next(input, session) do
      if sends?(input) and now() < deadline,
        do: feed(input, session, deadline),
        else: {:ok, input}
    end
  end

  defp send_next(%{pieces: [], continue: nil} = input, session) do
    Session.send_frame(session, :input_eof)
    {:ok, %{input | status: :over}}
  end

  defp send_next(%{pieces: []} = input, session) do
    with {:ok, input} <- pull(input), do: {:ok, send_piece(input, session)}
  end

  defp send_next(input, session), do: {:ok, send_piece(input, session)}

  defp send_piece(%{pieces: []} = input, _session), do: input

  defp send_piece(input, session) do
    {piece, size, rest} = Pieces.take(input.pieces)
    if size > 0, do: Session.send_frame(session, {:input, piece})
    %{input | pieces: rest, in_flight: input.in_flight + size}
  end

  defp pull(input) do
    call(input, fn ->
      case input.continue.({:cont, []}) do
        {:suspended, [element], continue} ->
          %{
            input
            | pieces: pieces(element, continue, input),
              continue: continue,
              status: :sending
          }

        # Such as of Stream.take/2, which ends with its last element.
        {_done_or_halted, [element]} ->
          %{input | pieces: pieces(element, nil, input), continue: nil, status: :sending}

        {_done_or_halted, []} ->
          %{input | continue: nil, status: :sending}
      end
    end)
  end

  defp pieces(element, continue, input) do
    iovec(element)
  rescue
    ArgumentError ->
      if continue, do: continue.({:halt, []})

      raise ArgumentError,
            "the :input of #{Table.function(input.context)} has to consist of iodata, got an element that is " <>
              Arguments.kind(element)
  end

  @doc "Takes note of INPUT_ACK. Input of which some was dropped is over: nobody reads it any more."
  @spec acknowledged(t(), non_neg_integer(), non_neg_integer()) ::
          {:ok, t()} | {:failed, failure(), t()}
  def acknowledged(input, written, dropped) do
    input = %{input | in_flight: input.in_flight - written - dropped}
    if dropped > 0, do: halt(input), else: {:ok, input}
  end

  @doc "Ends the input before its end. The program does not see that, unless its stdin is closed."
  @spec halt(t()) :: {:ok, t()} | {:failed, failure(), t()}
  def halt(%{status: :sending, continue: continue} = input) when continue != nil do
    call(input, fn ->
      continue.({:halt, []})
      over(input)
    end)
  end

  # It was not begun, or has come to its end.
  def halt(input), do: {:ok, over(input)}

  defp call(input, fun) do
    {:ok, fun.()}
  catch
    kind, reason -> {:failed, {kind, reason, __STACKTRACE__}, over(input)}
  end

  defp over(input), do: %{input | pieces: [], continue: nil, status: :over}

  defp now, do: System.monotonic_time(:microsecond)
end
