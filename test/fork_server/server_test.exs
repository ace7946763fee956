# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.ServerTest do
  use ExUnit.Case, async: true

  alias MuonTrap.ForkServer.Server

  @counts <<0xC3>>

  # A check that has begun, without an operating-system process, and what comes at its first timer.
  defp unanswered_check do
    from = {self(), make_ref()}
    state = %Server{id: :id, server: %{id: :id, os_pid: nil}}
    {:noreply, state} = Server.handle_call({:check, :id}, from, state)
    assert_receive {:no_answer, _check, _half} = timer
    {:noreply, state} = Server.handle_info(timer, state)
    {elem(from, 1), state}
  end

  test "an answer that was read after a timer counts: both may have waited while the host was suspended" do
    {tag, state} = unanswered_check()
    refute_received {^tag, _answer}
    {:noreply, _state} = Server.handle_info({nil, {:data, @counts}}, state)
    assert_received {^tag, :ok}
  end

  test "a timer of an earlier check says nothing about a later one" do
    {_tag, state} = unanswered_check()
    {:noreply, state} = Server.handle_info({nil, {:data, @counts}}, state)
    from = {self(), make_ref()}
    {:noreply, state} = Server.handle_call({:check, :id}, from, state)

    for half <- [:first, :second],
        do: assert({:noreply, ^state} = Server.handle_info({:no_answer, make_ref(), half}, state))
  end
end
