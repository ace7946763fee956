# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Native do
  @moduledoc false

  # File names, arguments and environment variables are bytes to the operating system. The BEAM
  # gives and takes some of them as lists of characters, in its native encoding: UTF-8, or Latin-1
  # when its locale is not a UTF-8 one, such as LC_ALL=C. Here they are binaries of the bytes
  # themselves.
  #
  # Under UTF-8, what is not valid UTF-8 comes as a list of its bytes, which cannot be told from
  # characters below 256: such a list may stand for two different binaries.

  @doc "The bytes that a list from the BEAM may stand for, the likely ones first."
  @spec candidates(charlist()) :: [binary(), ...]
  def candidates(characters) do
    encoded = :unicode.characters_to_binary(characters, :unicode, encoding())

    if encoding() == :utf8 and Enum.all?(characters, &(&1 < 256)),
      do: Enum.uniq([encoded, :erlang.list_to_binary(characters)]),
      else: [encoded]
  end

  @doc "The list that the BEAM shows for these bytes."
  @spec shown(binary()) :: charlist()
  def shown(bytes) do
    case :unicode.characters_to_list(bytes, encoding()) do
      characters when is_list(characters) -> characters
      _invalid -> :erlang.binary_to_list(bytes)
    end
  end

  @doc "An environment variable of the BEAM, as candidates; `nil` when it is not set."
  @spec getenv(charlist()) :: [binary(), ...] | nil
  def getenv(name) do
    if value = :os.getenv(name), do: candidates(value), else: nil
  end

  @doc """
  The path of the program that `command`, a relative path, names: it is looked for in each directory
  of `PATH`, as `System.find_executable/1` does. `nil` when there is none.
  """
  @spec find_executable(binary()) :: binary() | nil
  def find_executable(command) do
    with path when path != nil <- Enum.find(in_path(command), &executable?/1), do: absolute(path)
  end

  # An empty name of a directory is the current one.
  defp in_path(command) do
    for value <- getenv(~c"PATH") || [], directory <- :binary.split(value, ":", [:global]) do
      if directory == "", do: "./" <> command, else: directory <> "/" <> command
    end
  end

  @executable 0o111

  defp executable?(path) do
    case File.stat(path) do
      {:ok, %{type: :regular, mode: mode}} -> Bitwise.band(mode, @executable) != 0
      _other -> false
    end
  end

  # PATH may hold relative directories, and the program may run in another one than the BEAM.
  defp absolute("/" <> _rest = path), do: path

  defp absolute(path) do
    {:ok, directory} = :file.get_cwd()
    directory |> candidates() |> hd() |> Path.join(path)
  end

  @doc """
  The text with each byte that is not part of a valid UTF-8 character written as `\\\\xHH`. Valid text
  is returned as it is.
  """
  @spec printable(binary()) :: String.t()
  def printable(text) do
    if String.valid?(text), do: text, else: IO.iodata_to_binary(escape(text))
  end

  defp escape(<<character::utf8, rest::binary>>), do: [<<character::utf8>> | escape(rest)]
  defp escape(<<byte, rest::binary>>), do: ["\\x", Base.encode16(<<byte>>) | escape(rest)]
  defp escape(""), do: []

  defp encoding, do: :file.native_name_encoding()
end
