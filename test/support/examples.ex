# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Examples do
  @moduledoc """
  Runs the Elixir examples of a document, and compares their results with those in the text.
  """

  import ExUnit.Assertions

  @doc """
  Evaluates the code of a block, and returns the bindings after it. In a block with `iex>`, the result of each input must
  be the value that follows it, if there is one.
  """
  @spec run(String.t(), keyword(), String.t()) :: keyword()
  def run(code, bindings, where) do
    if code =~ "iex>",
      do: Enum.reduce(iex(code), bindings, &evaluate(&1, &2, where)),
      else: evaluate({code, ""}, bindings, where)
  end

  @doc "The input at each prompt of IEx, and its result as text."
  @spec iex(String.t()) :: [{String.t(), String.t()}]
  def iex(code) do
    for {code, result} <- sessions(code, ~r/^iex> /m) do
      {more, results} = Enum.split_while(String.split(result, "\n"), &(&1 =~ ~r/^\.\.\.>/))
      more = Enum.map(more, &Regex.replace(~r/^\.\.\.> ?/, &1, ""))
      {Enum.join([code | more], "\n"), results |> Enum.join("\n") |> String.trim()}
    end
  end

  @doc "The input at each prompt, and its output."
  @spec sessions(String.t(), Regex.t()) :: [{String.t(), String.t()}]
  def sessions(code, prompt) do
    for session <- prompt |> Regex.split(code) |> Enum.drop(1) do
      case String.split(session, "\n", parts: 2) do
        [typed, result] -> {typed, String.trim(result)}
        [typed] -> {typed, ""}
      end
    end
  end

  defp evaluate({code, ""}, bindings, where) do
    {_value, bindings} = Code.eval_string(code, bindings, file: where)
    bindings
  end

  defp evaluate({code, "** (" <> expected}, bindings, where) do
    [module, message] = String.split(expected, ") ", parts: 2)
    exception = Module.concat([module])
    assert_raise exception, message, fn -> Code.eval_string(code, bindings, file: where) end
    bindings
  end

  defp evaluate({code, expected}, bindings, where) do
    {value, bindings} = Code.eval_string(code, bindings, file: where)
    {expected_value, _} = Code.eval_string(expected, [], file: where)
    assert value == expected_value, "#{where}: #{code}\nreturned #{inspect(value)}"
    bindings
  end
end
