# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Status do
  @moduledoc false

  # What crash reports and `:sys.get_status/1` show of a GenServer that runs a program. Input and output may contain
  # secrets, and are of no use there.

  @doc "The status, with the state as `summary` shows it, and without input and output."
  @spec format(map(), (term() -> term())) :: map()
  def format(status, summary) do
    for {key, value} <- status, into: %{}, do: {key, format(key, value, summary)}
  end

  defp format(:state, state, summary), do: summary.(state)
  defp format(:message, message, _summary), do: without_data(message)
  defp format(:queue, messages, _summary), do: Enum.map(messages, &without_data/1)
  defp format(:log, _events, _summary), do: []
  defp format(_key, value, _summary), do: value

  defp without_data({port, {:data, data}}) when is_port(port),
    do: {port, {:data, "#{byte_size(data)} bytes"}}

  defp without_data({:tcp, socket, data}), do: {:tcp, socket, "#{byte_size(data)} bytes"}

  defp without_data({:"$gen_call", from, request}),
    do: {:"$gen_call", from, without_data(request)}

  # The message of a crash report is the request alone.
  defp without_data({:write, data, timeout}),
    do: {:write, "#{IO.iodata_length(data)} bytes", timeout}

  defp without_data(message), do: message
end
