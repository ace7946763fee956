# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CommandLine do
  @moduledoc false

  alias MuonTrap.Cgroups
  alias MuonTrap.Options.Table

  @doc "The command line of the helper for these options."
  @spec helper_args(MuonTrap.Options.t()) :: [binary()]
  def helper_args(options) do
    Enum.concat([
      ["--framed"],
      if(options.use_stdio, do: [], else: ["--fds=3,4"]),
      ["--delay-to-sigkill=#{options.delay_to_sigkill}"],
      ["--stdio-window=#{options.stdio_window}"],
      capture_args(options),
      for({name, flag} <- Table.flags(), word <- flag(flag, options[name]), do: word),
      Cgroups.helper_args(options),
      ["--", options.cmd | options.args]
    ])
  end

  defp capture_args(%{capture_output: true} = options) do
    cond do
      options.capture_stderr_only -> ["--capture-stderr-only"]
      options.stderr_to_stdout -> ["--capture-output", "--capture-stderr"]
      true -> ["--capture-output"]
    end
  end

  defp capture_args(%{stderr_to_stdout: true}), do: ["--capture-stderr"]
  defp capture_args(_options), do: []

  # In one word, as a value may begin with "-", like the arg0 of a login shell.
  defp flag(_name, nil), do: []
  defp flag(name, list) when is_list(list), do: flag(name, Enum.join(list, ","))
  defp flag(name, value), do: ["--#{name}=#{value}"]
end
