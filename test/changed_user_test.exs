# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ChangedUserTest do
  # Changing its user clears the parent-death signal of a program (PR_SET_PDEATHSIG(2const)).
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Needs, OS}

  alias MuonTrap.Daemon

  @moduletag :capture_log
  @moduletag needs(:root)

  @kills 5

  for {label, command, args} <- [
        {"itself", "setpriv", ~w(--reuid=65534 --clear-groups sleep 1000)},
        {"for a child", "su",
         ["-s", "/bin/sh", "--session-command", "exec sleep 1000", "nobody"]},
        {"itself and for a child in a session of its own", "setpriv",
         ["--reuid=65534", "--clear-groups", "sh", "-c", "setsid sleep 1000 & wait"]}
      ] do
    test "a program that changes it #{label} runs once, however often its helper is killed" do
      marker = marker()
      command = unquote(command)
      spec = {Daemon, [command, unquote(args), [env: [{"MARKER", marker}]]]}
      on_exit(fn -> kill_marked(marker) end)

      {:ok, supervisor} =
        Supervisor.start_link([spec], strategy: :one_for_one, max_restarts: 1000)

      for _ <- 1..@kills do
        await_one(marker)
        [{Daemon, daemon, _, _}] = Supervisor.which_children(supervisor)
        kill(Daemon.os_pid(daemon), "KILL")
        wait_until(fn -> not Process.alive?(daemon) end)
      end

      await_one(marker)
      Supervisor.stop(supervisor)
      assert marked(marker) == []
    end
  end

  defp await_one(marker) do
    wait_until(fn -> sleepers(marker) != [] end)
    assert [_one] = sleepers(marker)
  end

  defp sleepers(marker), do: for(pid <- marked(marker), name(pid) == "sleep", do: pid)
end
