# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.FrameBuffer do
  @moduledoc false

  # Splits bytes into frames. A frame of output does not wait until it is whole: each part of it counts as a frame.

  alias MuonTrap.Session.Frame

  @enforce_keys [:bytes, :part]
  defstruct [:bytes, :part]

  # `part`: the stream of a frame that was passed on in part, and how many bytes of it are still to come.
  @type t :: %__MODULE__{
          bytes: binary(),
          part: {:stdout | :stderr, bytes_left :: pos_integer()} | nil
        }

  @doc "A buffer that begins with these bytes."
  @spec new(binary()) :: t()
  def new(bytes), do: %__MODULE__{bytes: bytes, part: nil}

  @doc "Adds bytes that have come."
  @spec push(t(), binary()) :: t()
  def push(%{bytes: ""} = buffer, bytes), do: %{buffer | bytes: bytes}
  def push(buffer, bytes), do: %{buffer | bytes: buffer.bytes <> bytes}

  @doc "Takes the next frame, or a part of it."
  @spec pop(t()) :: {Frame.t(), t()} | :none
  def pop(%{bytes: ""}), do: :none

  def pop(%{bytes: bytes, part: {stream, left}}) when byte_size(bytes) < left,
    do: {{stream, bytes}, %__MODULE__{bytes: "", part: {stream, left - byte_size(bytes)}}}

  def pop(%{bytes: bytes, part: {stream, left}}) do
    {data, rest} = :erlang.split_binary(bytes, left)
    {{stream, data}, new(rest)}
  end

  def pop(%{bytes: <<size::32, frame::binary-size(size), rest::binary>>}),
    do: {Frame.decode(frame), new(rest)}

  def pop(%{bytes: <<size::32, start::binary>>}) do
    case Frame.decode(start) do
      {stream, data} when stream in [:stdout, :stderr] and data != "" ->
        pop(%__MODULE__{bytes: data, part: {stream, size - 1}})

      _not_whole ->
        :none
    end
  end

  def pop(_part_of_size), do: :none
end
