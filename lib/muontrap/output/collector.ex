# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.Collector do
  @moduledoc false

  # Collects output as Collectable does, with two exceptions.
  #
  # A binary is appended to. The implementation of Collectable keeps all chunks and joins them at the
  # end, which needs twice the memory. The BEAM appends to a binary in place as long as it has spare
  # room, and doubles the room when it is full, see "Constructing and Matching Binaries" in OTP's
  # Efficiency Guide. The memory of a chunk can be reused at once.
  #
  # A text device refuses a chunk that ends inside a UTF-8 character, and chunks may end anywhere. So
  # the first bytes of an incomplete character are kept for the next chunk. Bytes that are not UTF-8
  # are passed on, in order: the device decides whether to accept them.

  @type collect :: (term(), Collectable.command() -> term())

  @doc "The initial accumulator and the collecting function, as for `Collectable.into/1`."
  @spec into(Collectable.t()) :: {term(), collect()}
  def into(binary) when is_binary(binary), do: {binary, &append/2}
  def into(%IO.Stream{raw: false} = device), do: into_text(device)
  def into(%File.Stream{raw: false} = device), do: into_text(device)
  def into(collectable), do: Collectable.into(collectable)

  @doc "As `into/1`. With `lines`, the chunks are whole lines, which end where a character ends."
  @spec into(Collectable.t(), pos_integer() | nil) :: {term(), collect()}
  def into(collectable, nil), do: into(collectable)
  def into(binary, _lines) when is_binary(binary), do: into(binary)
  def into(collectable, _lines), do: Collectable.into(collectable)

  @doc """
  Whether a call for each chunk is slow, as for a device, so that small chunks are better gathered. The collecting function
  takes iodata then.
  """
  @spec slow?(Collectable.t()) :: boolean()
  def slow?(collectable),
    do: is_struct(collectable, File.Stream) or is_struct(collectable, IO.Stream)

  @doc "Whether the collecting function only keeps the output in memory, and so refuses none of it."
  @spec keeps?(Collectable.t()) :: boolean()
  def keeps?(collectable), do: is_binary(collectable)

  @doc "The collecting function of a binary."
  @spec append(binary(), Collectable.command()) :: binary() | :ok
  def append(binary, {:cont, chunk}), do: <<binary::binary, chunk::binary>>
  def append(binary, :done), do: trim(binary)
  def append(_binary, :halt), do: :ok

  # Matching a binary makes the BEAM free the spare room.
  defp trim(<<_, _rest::binary>> = binary), do: binary
  defp trim("" = binary), do: binary

  defp into_text(device) do
    {initial, fun} = Collectable.into(device)
    {{initial, ""}, &put_text(&1, &2, fun)}
  end

  defp put_text({acc, start}, {:cont, chunk}, fun),
    do: put_characters(acc, IO.iodata_to_binary([start | chunk]), fun)

  defp put_text({acc, _start}, :halt, fun), do: fun.(acc, :halt)
  defp put_text({acc, ""}, :done, fun), do: fun.(acc, :done)

  defp put_text({acc, start}, :done, fun) do
    acc =
      try do
        fun.(acc, {:cont, start})
      catch
        kind, reason ->
          fun.(acc, :halt)
          :erlang.raise(kind, reason, __STACKTRACE__)
      end

    fun.(acc, :done)
  end

  defp put_characters(acc, text, fun) do
    case :unicode.characters_to_binary(text) do
      text when is_binary(text) ->
        {put(acc, text, fun), ""}

      {:incomplete, text, start} ->
        {put(acc, text, fun), start}

      {:error, text, <<byte, rest::binary>>} ->
        acc |> put(text, fun) |> put(<<byte>>, fun) |> put_characters(rest, fun)
    end
  end

  defp put(acc, "", _fun), do: acc
  defp put(acc, text, fun), do: fun.(acc, {:cont, text})
end
