# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ClosedPortTest do
  # Any process of the BEAM may close any port. Not async: a test sets another helper.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error}

  @moduletag :capture_log
  @moduletag :tmp_dir

  # What searches its mailbox for each message of a port is served by the guard instead.
  @crowded 600

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
      # It only waits. The shell keeps stdout open, for the port would close without.
      helper =
        script(context.tmp_dir, "helper", "#!/bin/sh\necho $$ >'#{file}'\ncat >/dev/null\n:")

      Application.put_env(:muontrap, :helper, helper)
      on_exit(fn -> Application.delete_env(:muontrap, :helper) end)
      owner = start(@kind, "exit", [])
      helper = await_pid(file)
      close_port(owner, helper)
      refute alive?(helper)
    end
  end

  defp close_port(owner, helper) do
    [guard] = guards(owner)
    helper |> port_of() |> Port.close()
    assert_receive {:ended, %Error{step: :helper}}, 10_000
    # The owner lives on, so that it is not its end that ends the guard.
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

  # Those of the owner, or of the daemon that it has started.
  defp guards(owner) do
    {:links, links} = Process.info(owner, :links)

    wait_until(fn ->
      guards =
        for process <- [owner | links],
            process != self() and is_pid(process),
            {:monitored_by, pids} <- [Process.info(process, :monitored_by)],
            pid <- pids,
            is_pid(pid),
            Process.info(pid, :initial_call) == {:initial_call, {MuonTrap.Guard, :init, 1}},
            do: pid

      if guards == [], do: nil, else: guards
    end)
  end
end
