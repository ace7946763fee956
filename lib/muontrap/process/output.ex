# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Process.Output do
  @moduledoc false

  # Output of a program that nobody has read yet, as a value. Bytes count as read when they were taken, and also when
  # they are a part of a line whose end has not come: otherwise a line that is longer than the window would never end.

  defstruct chunks: :queue.new(), parts: %{stdout: [], stderr: []}

  @type stream :: :stdout | :stderr

  @typedoc "`parts` are the beginnings of lines, without a newline in them."
  @type t :: %__MODULE__{
          chunks: :queue.queue({stream(), binary()}),
          parts: %{stdout: iodata(), stderr: iodata()}
        }

  @typedoc "What was taken, and how many bytes count as read because of it."
  @type taken :: {{stream(), binary()} | nil, non_neg_integer(), t()}

  @doc "No output."
  @spec new() :: t()
  def new, do: %__MODULE__{}

  @doc "Adds a chunk."
  @spec push(t(), stream(), binary()) :: t()
  def push(output, stream, data), do: %{output | chunks: :queue.in({stream, data}, output.chunks)}

  @doc "Whether all was read."
  @spec empty?(t()) :: boolean()
  def empty?(output),
    do: :queue.is_empty(output.chunks) and output.parts == %{stdout: [], stderr: []}

  @doc "Takes the next chunk, `nil` if there is none."
  @spec take(t()) :: taken()
  def take(output) do
    case take_part(output) do
      {nil, 0, _output} -> take_chunk(output)
      taken -> taken
    end
  end

  defp take_chunk(output) do
    case :queue.out(output.chunks) do
      {{:value, {_stream, data} = chunk}, chunks} ->
        {chunk, byte_size(data), %{output | chunks: chunks}}

      {:empty, _chunks} ->
        {nil, 0, output}
    end
  end

  defp take_part(%{parts: %{stdout: [], stderr: []}} = output), do: {nil, 0, output}
  defp take_part(%{parts: %{stdout: []}} = output), do: take_part(output, :stderr)
  defp take_part(output), do: take_part(output, :stdout)

  defp take_part(output, stream) do
    data = IO.iodata_to_binary(output.parts[stream])
    {{stream, data}, 0, put_in(output.parts[stream], [])}
  end

  @doc "Takes the next line, without its end; `nil` if none is complete. `last?`: no more output comes."
  @spec take_line(t(), boolean()) :: taken()
  def take_line(output, last?), do: take_line(output, last?, 0)

  defp take_line(output, last?, read) do
    case take_chunk(output) do
      {nil, 0, output} when last? ->
        {line, 0, output} = take_part(output)
        {line, read, output}

      {nil, 0, output} ->
        {nil, read, output}

      {{stream, data}, size, output} ->
        split(output, stream, data, last?, read + size)
    end
  end

  defp split(output, stream, data, last?, read) do
    part = Map.fetch!(output.parts, stream)

    case :binary.split(data, "\n") do
      [_no_newline] ->
        take_line(put_in(output.parts[stream], [part, data]), last?, read)

      [end_of_line, rest] ->
        line = trim(IO.iodata_to_binary([part, end_of_line]))
        output = output |> put_back(stream, rest) |> Map.update!(:parts, &Map.put(&1, stream, []))
        {{stream, line}, read - byte_size(rest), output}
    end
  end

  defp put_back(output, _stream, ""), do: output

  defp put_back(output, stream, rest),
    do: %{output | chunks: :queue.in_r({stream, rest}, output.chunks)}

  defp trim(line) do
    if line != "" and :binary.last(line) == ?\r,
      do: binary_part(line, 0, byte_size(line) - 1),
      else: line
  end
end
