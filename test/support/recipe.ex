# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Recipe do
  @moduledoc """
  The recipes of `docs/recipes.md`: each section of it, as far as it has code.

  A comment below its heading names the programs that it needs, as in `<!-- needs: nginx, sh -->`, and
  `<!-- The BEAM is killed here. -->` divides a recipe into parts that run in one BEAM after the other. Blocks without `iex>`
  are the application, which each of these BEAMs has.
  """

  alias MuonTrap.Test.Examples

  @file_name "docs/recipes.md"
  @block ~r/^```elixir\n(?<code>.*?)^```$|^(?<kill><!-- The BEAM is killed here\. -->)$/ms

  defstruct [:title, :needs, :parts]

  @typedoc "Blocks of code, each with its place in the file."
  @type part :: [{code :: String.t(), where :: String.t()}]
  @type t :: %__MODULE__{title: String.t(), needs: [String.t()], parts: [part()]}

  @doc "The file that the recipes are in, in the folder of the project."
  @spec file_name() :: Path.t()
  def file_name, do: @file_name

  @doc "Reads the recipes."
  @spec all(Path.t()) :: [t()]
  def all(root) do
    text = File.read!(Path.join(root, @file_name))

    for [{from, _}, {next, length}] <- Regex.scan(~r/^## (.+)$/m, text, return: :index),
        section = section(text, from),
        parts = parts(section, line(text, from)),
        parts != [[]],
        do: %__MODULE__{
          title: binary_part(text, next, length),
          needs: needs(section),
          parts: parts
        }
  end

  defp section(text, from) do
    [section | _others] =
      text |> binary_part(from, byte_size(text) - from) |> String.split("\n## ")

    section
  end

  defp line(text, at), do: text |> binary_part(0, at) |> String.split("\n") |> length()

  defp needs(section) do
    case Regex.run(~r/^<!-- needs: (.+) -->$/m, section) do
      [_, programs] -> String.split(programs, ", ")
      nil -> []
    end
  end

  defp parts(section, first_line) do
    blocks =
      for [{at, _}, {from, length} | _kill] <- Regex.scan(@block, section, return: :index) do
        where = "#{@file_name}:#{first_line + line(section, at)}"
        # A group that does not match is at -1.
        if from < 0, do: :kill, else: {binary_part(section, from, length), where}
      end

    {sessions, application} = Enum.split_with(blocks, &session?/1)
    for part <- split(sessions, []), do: application ++ part
  end

  defp session?(:kill), do: true
  defp session?({code, _where}), do: code =~ "iex>"

  defp split(blocks, parts) do
    case Enum.split_while(blocks, &(&1 != :kill)) do
      {part, [:kill | rest]} -> split(rest, [part | parts])
      {part, []} -> Enum.reverse([part | parts])
    end
  end

  @doc """
  Runs the blocks in a process of their own, which stays afterwards, since what they have started is linked to it.
  Returns what has gone wrong, as text.
  """
  @spec run(part()) :: :ok | {:error, String.t()}
  def run(part) do
    caller = self()

    {pid, monitor} =
      spawn_monitor(fn ->
        send(caller, {self(), evaluate(part)})
        Process.sleep(:infinity)
      end)

    receive do
      {^pid, result} -> result
      {:DOWN, ^monitor, :process, ^pid, reason} -> {:error, Exception.format_exit(reason)}
    end
  end

  defp evaluate(part) do
    Enum.reduce_while(part, [], fn {code, where}, bindings ->
      try do
        {:cont, Examples.run(code, bindings, where)}
      rescue
        error ->
          {:halt, {:error, where <> ": " <> Exception.format(:error, error, __STACKTRACE__)}}
      end
    end)
    |> then(&if(is_list(&1), do: :ok, else: &1))
  end
end
