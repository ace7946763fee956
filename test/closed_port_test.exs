# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ClosedPortTest do
  # Any process of the BEAM may close any port: here, that of a helper that was executed for one
  # program. Not async: that is a setting of the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Test.ForkServer

  @moduletag :capture_log
  @moduletag :tmp_dir

  # With so many messages, a relay owns the port.
  @crowded 600

  setup do: ForkServer.without()

  for kind <- [:cmd, :crowded_cmd, :daemon] do
    @kind kind

    test "a #{kind} whose port is closed by another process ends, and its guard, too", context do
      marker = marker()
      file = Path.join(context.tmp_dir, "pid")
      owner = start(@kind, "echo $$ >'#{file}'; exec sleep 1000", env: [{"MARKER", marker}])
      close_port(owner, parent(await_pid(file)))
      assert marked(marker) == []
    end

    test "a #{kind} whose port is closed before its program runs ends, and its guard, too",
         context do
      file = Path.join(context.tmp_dir, "pid")
      # The shell keeps stdout open, since the port would close otherwise.
      ForkServer.without(silent_helper(context.tmp_dir, file, "cat >/dev/null; :"))
      owner = start(@kind, "exit", [])
      helper = await_pid(file)
      close_port(owner, helper)
      refute alive?(helper)
    end
  end

  defp close_port(owner, helper) do
    port = port_of(helper)
    guard = guard_of(port)
    Port.close(port)
    assert_receive {:ended, %Error{step: :helper}}
    # The owner lives on, so that the guard does not end because of the owner's death.
    wait_until(fn -> not Process.alive?(guard) end)
    assert Process.alive?(owner)
    send(owner, :end)
  end

  defp start(kind, script, opts) do
    test = self()

    spawn_link(fn ->
      send(test, {:ended, run(kind, ["-c", script], opts)})
      receive(do: (:end -> :ok))
    end)
  end

  defp run(:crowded_cmd, args, opts) do
    for n <- 1..@crowded, do: send(self(), n)
    run(:cmd, args, opts)
  end

  defp run(:cmd, args, opts), do: catch_error(MuonTrap.cmd("sh", args, opts))

  defp run(:daemon, args, opts) do
    Process.flag(:trap_exit, true)

    with {:ok, daemon} <- Daemon.start_link("sh", args, opts) do
      receive do
        {:EXIT, ^daemon, reason} -> reason
      end
    else
      {:error, reason} -> reason
    end
  end

  defp guard_of(port) do
    {:links, links} = Port.info(port, :links)

    [guard] =
      for pid <- links,
          Process.info(pid, :initial_call) == {:initial_call, {MuonTrap.Session.Guard, :init, 1}},
          do: pid

    guard
  end
end
