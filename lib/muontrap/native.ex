# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Native do
  @moduledoc false

  # For the operating system, file names, arguments and environment variables are bytes. Some
  # functions of OTP use lists of characters for them, in the BEAM's native encoding: UTF-8, or
  # Latin-1 if the locale is not a UTF-8 one, such as LC_ALL=C. MuonTrap uses binaries of the bytes.
  #
  # With UTF-8, OTP represents bytes that are not valid UTF-8 as a list of the bytes, which looks the
  # same as a list of characters below 256. So such a list may stand for two different binaries.

  @doc "The binaries that a list from OTP may stand for, the more likely one first."
  @spec candidates(charlist()) :: [binary(), ...]
  def candidates(characters) do
    encoded = :unicode.characters_to_binary(characters, :unicode, encoding())

    if encoding() == :utf8 and Enum.all?(characters, &(&1 < 256)),
      do: Enum.uniq([encoded, :erlang.list_to_binary(characters)]),
      else: [encoded]
  end

  @doc "The list that OTP returns for these bytes."
  @spec shown(binary()) :: charlist()
  def shown(bytes) do
    case :unicode.characters_to_list(bytes, encoding()) do
      characters when is_list(characters) -> characters
      _invalid -> :erlang.binary_to_list(bytes)
    end
  end

  @doc "The candidates for an environment variable of the BEAM, or `nil` if it is not set."
  @spec getenv(charlist()) :: [binary(), ...] | nil
  def getenv(name) do
    if value = :os.getenv(name), do: candidates(value), else: nil
  end

  @doc """
  Looks up `command`, a relative path, in each directory of `PATH`, as `System.find_executable/1` does.
  Returns `nil` if there is no such program.
  """
  @spec find_executable(binary()) :: binary() | nil
  def find_executable(command) do
    with path when path != nil <- Enum.find(in_path(command), &executable?/1), do: absolute(path)
  end

  # An empty entry means the working directory.
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

  # PATH may contain relative directories, and the program may run in another directory than the BEAM.
  defp absolute("/" <> _rest = path), do: path

  defp absolute(path) do
    {:ok, directory} = :file.get_cwd()
    directory |> candidates() |> hd() |> Path.join(path)
  end

  @doc """
  Returns valid UTF-8: bytes that are not part of a valid character are written as `\\\\xHH`.
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
