# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Input.Queue do
  @moduledoc false

  # The writes of callers to the stdin of a program, for a GenServer that has its session. Writes are sent in the
  # order of the calls, and a caller gets its reply when INPUT_ACK says that all of its data was written.

  alias MuonTrap.{Caller, Options, Session}
  alias MuonTrap.Input.Pieces

  defstruct [
    :session,
    open?: true,
    unsent: :queue.new(),
    unwritten: :queue.new(),
    sent: 0,
    written: 0
  ]

  @typedoc """
  `unsent` has the writes of which some is still to be sent, and `unwritten` those of which all was sent, with the
  number of bytes that have to be written before each is done. `sent` and `written` count bytes. There is no session
  before the program was started, and after it has ended.
  """
  @type t :: %__MODULE__{
          session: Session.t() | nil,
          open?: boolean(),
          unsent: :queue.queue({Caller.t(), [binary()]} | :eof),
          unwritten: :queue.queue({Caller.t(), pos_integer()}),
          sent: non_neg_integer(),
          written: non_neg_integer()
        }

  @doc "The queue of a program, to which nothing can be written if its stdin is no pipe."
  @spec new(Options.t()) :: t()
  def new(options), do: %__MODULE__{open?: options.input == :open and options.use_stdio}

  @doc "Sends what was written before the program was started."
  @spec started(t(), Session.t()) :: t()
  def started(queue, session), do: flush(%{queue | session: session})

  @doc "Sends data on behalf of a caller, or keeps it for later. Replies later, with an error after the timeout."
  @spec write(t(), GenServer.from(), [binary()], timeout()) :: t()
  def write(%{open?: false} = queue, from, _data, _timeout) do
    GenServer.reply(from, {:error, :closed})
    queue
  end

  def write(queue, from, [], _timeout) do
    GenServer.reply(from, :ok)
    queue
  end

  def write(queue, from, data, timeout) do
    caller = Caller.new(from, :write, timeout)
    flush(%{queue | unsent: :queue.in({caller, data}, queue.unsent)})
  end

  @doc "Closes the program's stdin, after the writes so far."
  @spec close(t()) :: t()
  def close(%{open?: false} = queue), do: queue

  def close(queue),
    do: flush(%{queue | open?: false, unsent: :queue.in(:eof, queue.unsent)})

  defp flush(%{session: nil} = queue), do: queue

  defp flush(queue) do
    case :queue.out(queue.unsent) do
      {{:value, next}, unsent} -> flush(queue, next, unsent)
      {:empty, _unsent} -> queue
    end
  end

  defp flush(queue, :eof, unsent) do
    Session.send_frame(queue.session, :input_eof)
    %{queue | unsent: unsent}
  end

  defp flush(queue, {caller, data}, unsent) do
    if Pieces.room?(queue.sent - queue.written),
      do: queue |> send_piece(caller, data, unsent) |> flush(),
      else: queue
  end

  defp send_piece(queue, caller, data, unsent) do
    {piece, size, rest} = Pieces.take(data)
    Session.send_frame(queue.session, {:input, piece})
    sent = queue.sent + size

    if rest == [] do
      unwritten = :queue.in({caller, sent}, queue.unwritten)
      %{queue | unsent: unsent, unwritten: unwritten, sent: sent}
    else
      %{queue | unsent: :queue.in_r({caller, rest}, unsent), sent: sent}
    end
  end

  @doc "Takes note of INPUT_ACK, and replies to the callers whose data was written."
  @spec acknowledged(t(), non_neg_integer(), non_neg_integer()) :: t()
  def acknowledged(queue, written, 0),
    do: %{queue | written: queue.written + written} |> reply_written() |> flush()

  # Nobody reads from the pipe any more.
  def acknowledged(queue, written, _dropped),
    do: %{queue | written: queue.written + written} |> reply_written() |> ended()

  defp reply_written(queue) do
    case :queue.out(queue.unwritten) do
      {{:value, {caller, bytes}}, rest} when bytes <= queue.written ->
        Caller.reply(caller, :ok)
        reply_written(%{queue | unwritten: rest})

      _others_are_later ->
        queue
    end
  end

  @doc "Tells the callers that wait that the program does not read any more."
  @spec ended(t()) :: t()
  def ended(queue) do
    for {caller, _bytes} <- :queue.to_list(queue.unwritten),
        do: Caller.reply(caller, {:error, :closed})

    for {caller, _data} <- :queue.to_list(queue.unsent),
        do: Caller.reply(caller, {:error, :closed})

    %{queue | open?: false, session: nil, unsent: :queue.new(), unwritten: :queue.new()}
  end

  @doc "Replies to the caller whose timer has expired. What was not sent of its data is not written."
  @spec expired(t(), reference()) :: t()
  def expired(queue, timer) do
    queue = %{
      queue
      | unsent: remove(queue.unsent, timer),
        unwritten: remove(queue.unwritten, timer)
    }

    flush(queue)
  end

  defp remove(entries, timer) do
    :queue.filter(
      fn
        {{from, ^timer}, _data_or_bytes} ->
          GenServer.reply(from, {:error, :timeout})
          false

        _other ->
          true
      end,
      entries
    )
  end
end
