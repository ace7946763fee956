# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Linkage do
  @moduledoc false
  # How to link the helper: statically, if possible. A program of this size spends most of its start-up
  # time in the dynamic linker and the set-up of glibc.
  #
  # The flags are passed for the helper alone ("cargo rustc ... -- FLAGS"), so that they are added to
  # the flags of the user, wherever these are configured. Of RUSTFLAGS and the like, cargo uses only one.

  @type flags :: [String.t()]
  @type attempt :: {triple :: String.t(), flags}

  # Not position-independent, since relocation would make shareable pages dirty. Code and constants in one
  # segment mean fewer mappings and page faults (GNU ld).
  @static ["-C", "target-feature=+crt-static", "-C", "relocation-model=static"] ++
            ["-C", "link-arg=-Wl,-z,noseparate-code"]

  @doc """
  The static linkages to try, best first. If none works, the helper is linked dynamically.

  A program starts fastest with musl. This is tried only for this machine (`:host`): the toolchain for a
  device is known to work with the device's own C library.
  """
  @spec attempts(%{optional(String.t()) => String.t()}, :host | String.t(), String.t()) ::
          [attempt]
  def attempts(env, choice, host) do
    triple = if choice == :host, do: host, else: choice

    cond do
      not (triple =~ "-linux-") ->
        []

      decided?(env) ->
        []

      choice == :host and musl(host) != host and not set_up?(env, host) ->
        [{musl(host), @static}, {host, @static}]

      true ->
        [{triple, @static}]
    end
  end

  @doc "The message for a helper that is linked dynamically, or `nil` if this was to be expected."
  @spec note([attempt], :host | String.t()) :: String.t() | nil
  def note([], _choice), do: nil

  def note(attempts, :host) do
    {triple, _flags} = List.last(attempts)

    "The helper is linked dynamically, which makes it start slower: there is no static C library. " <>
      "Install one, by \"rustup target add #{musl(triple)}\", \"apt-get install libc6-dev\", " <>
      "\"dnf install glibc-static\" or \"apk add musl-dev\", then run \"mix compile --force\"."
  end

  def note(_attempts, triple) do
    "The helper is linked dynamically: the toolchain for #{triple} has no static C library."
  end

  # The user has chosen, for example with "-C target-feature=-crt-static".
  defp decided?(env) do
    Enum.any?(env, fn {name, value} ->
      String.ends_with?(name, "RUSTFLAGS") and value =~ "crt-static"
    end)
  end

  # A linker or flags that are configured for this target would not apply to another one.
  defp set_up?(env, triple) do
    prefix = "CARGO_TARGET_" <> (triple |> String.replace("-", "_") |> String.upcase()) <> "_"
    Enum.any?(env, fn {name, _} -> String.starts_with?(name, prefix) end)
  end

  # gnu, gnueabihf: musl, musleabihf.
  defp musl(triple), do: String.replace(triple, "-linux-gnu", "-linux-musl")
end
