# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.Collector do
  @moduledoc false

  # How output becomes what the caller wants: as Collectable has it, but a binary grows in place.
  #
  # Collectable keeps all chunks of a binary until the end and joins them then, which takes the
  # memory of twice the output. The BEAM appends to a binary that was made by appending without
  # copying it, as long as it has room, and makes room for as much again when it has not:
  # "Constructing and Matching Binaries" in the Efficiency Guide of OTP. A chunk is garbage right
  # away, and its memory serves the next one.
  #
  # A text device refuses a chunk that ends inside a UTF-8 character, and chunks end anywhere. So
  # the beginning of a character waits for the rest of it. What is not UTF-8 goes to the device as
  # it is, after all that comes before it: whether to take it is for the device to decide.

  @type collect :: (term(), Collectable.command() -> term())

  @doc "What to begin with, and the function that adds to it, as of `Collectable.into/1`."
  @spec into(Collectable.t()) :: {term(), collect()}
  def into(binary) when is_binary(binary), do: {binary, &append/2}
  def into(%IO.Stream{raw: false} = device), do: into_text(device)
  def into(%File.Stream{raw: false} = device), do: into_text(device)
  def into(collectable), do: Collectable.into(collectable)

  @doc """
  As `into/1`, for whole lines when `lines` is not `nil`: they end where characters end.
  """
  @spec into(Collectable.t(), pos_integer() | nil) :: {term(), collect()}
  def into(collectable, nil), do: into(collectable)
  def into(binary, _lines) when is_binary(binary), do: into(binary)
  def into(collectable, _lines), do: Collectable.into(collectable)

  defp append(binary, {:cont, chunk}), do: <<binary::binary, chunk::binary>>
  defp append(binary, :done), do: trim(binary)
  defp append(_binary, :halt), do: :ok

  # To match a binary ends its growing, and has the BEAM give back the room for more.
  defp trim(<<_, _rest::binary>> = binary), do: binary
  defp trim("" = binary), do: binary

  defp into_text(device) do
    {initial, fun} = Collectable.into(device)
    {{initial, ""}, &put_text(&1, &2, fun)}
  end

  defp put_text({acc, start}, {:cont, chunk}, fun), do: put_characters(acc, start <> chunk, fun)
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
