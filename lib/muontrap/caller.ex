# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Caller do
  @moduledoc false

  # A caller of a GenServer that waits for its reply, for a limited time. The GenServer gets `{:timeout, timer, tag}`
  # when that is over. The caller itself does not limit the time: what is then replied would be lost.

  @type t :: {GenServer.from(), timer :: reference() | nil}

  # The most that `receive` accepts.
  @longest 0xFFFFFFFF

  @doc "The timeout, if it is one. It has to be checked in the caller: the GenServer would fail."
  @spec timeout!(term()) :: timeout()
  def timeout!(:infinity), do: :infinity
  def timeout!(timeout) when is_integer(timeout) and timeout in 0..@longest, do: timeout

  def timeout!(other) do
    raise ArgumentError,
          "expected the timeout to be :infinity or a number of milliseconds from 0 to #{@longest}, " <>
            "got: #{inspect(other)}"
  end

  @doc "A caller that has begun to wait."
  @spec new(GenServer.from(), atom(), timeout()) :: t()
  def new(from, _tag, :infinity), do: {from, nil}
  def new(from, tag, timeout), do: {from, :erlang.start_timer(timeout, self(), tag)}

  @doc "Replies."
  @spec reply(t(), term()) :: :ok
  def reply({from, nil}, answer), do: GenServer.reply(from, answer)

  def reply({from, timer}, answer) do
    _pending = Process.cancel_timer(timer, async: true, info: false)
    GenServer.reply(from, answer)
  end

  @doc "Whether the caller can still receive a reply, as far as this node knows."
  @spec alive?(t()) :: boolean()
  def alive?({{pid, _tag}, _timer}), do: node(pid) != node() or Process.alive?(pid)

  @doc """
  Calls a GenServer without a limit of time. If it ends, the exit names the function instead of the request, which may
  contain data.
  """
  @spec call(GenServer.server(), term(), {module(), atom()}) :: term()
  def call(server, request, {module, function}) do
    GenServer.call(server, request, :infinity)
  catch
    :exit, {reason, {GenServer, :call, _arguments}} ->
      exit({reason, {module, function, [server]}})
  end
end
