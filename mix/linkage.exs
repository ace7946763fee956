# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.Linkage do
  @moduledoc false
  # How the helper is linked: statically, where that works. The dynamic linker and what it does for
  # glibc are most of what a program of this size spends on its start.
  #
  # The flags are for the helper alone ("cargo rustc ... -- FLAGS"). So they come on top of the flags
  # of the user, wherever cargo found those: in RUSTFLAGS and the like, in the end it takes one source
  # only.

  @type flags :: [String.t()]
  @type attempt :: {triple :: String.t(), flags}

  # Not position-independent, because relocating itself makes pages dirty that could be shared. Code and
  # constants in one segment make fewer mappings and page faults, where the linker is that of GNU.
  @static ["-C", "target-feature=+crt-static", "-C", "relocation-model=static"] ++
            ["-C", "link-arg=-Wl,-z,noseparate-code"]

  @doc """
  What to try, best first, before it is linked dynamically.

  With musl there is least to do at the start. It is taken for this machine only (`:host`): for a
  device, its own C library is what its toolchain is known to work with.
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

  @doc "What to tell somebody whose helper is linked dynamically, `nil` if that was to be expected."
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

  # Whoever says something about it has decided: "-C target-feature=-crt-static", for example.
  defp decided?(env) do
    Enum.any?(env, fn {name, value} ->
      String.ends_with?(name, "RUSTFLAGS") and value =~ "crt-static"
    end)
  end

  # A linker or flags for this very target would be lost with another one.
  defp set_up?(env, triple) do
    prefix = "CARGO_TARGET_" <> (triple |> String.replace("-", "_") |> String.upcase()) <> "_"
    Enum.any?(env, fn {name, _} -> String.starts_with?(name, prefix) end)
  end

  # gnu, gnueabihf: musl, musleabihf.
  defp musl(triple), do: String.replace(triple, "-linux-gnu", "-linux-musl")
end
