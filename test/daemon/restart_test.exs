# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.DaemonRestartTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Daemon

  # OTP reports daemons that stop with an error.
  @moduletag :capture_log

  defp start!(script) do
    {:ok, daemon} = Daemon.start_link("sh", ["-c", script], delay_to_sigkill: 10_000)
    daemon
  end

  describe "a daemon that is killed" do
    # Each copy writes when it begins and when it ends; its trap is slow.
    defp slow(file, pause \\ "sleep 0.2") do
      "trap '#{pause}; echo end >>\"#{file}\"; exit' TERM; echo begin >>\"#{file}\"; " <>
        "while :; do sleep 0.01; done"
    end

    # Exits when a file exists.
    defp held(file), do: slow(file, "until [ -e \"#{file}.go\" ]; do sleep 0.01; done")

    defp content(file) do
      case File.read(file) do
        {:ok, content} -> String.split(content, "\n", trim: true)
        {:error, :enoent} -> []
      end
    end

    @tag :tmp_dir
    test "has its program stopped before its successor starts", %{tmp_dir: directory} do
      file = Path.join(directory, "log")
      spec = {Daemon, ["sh", ["-c", slow(file)], [delay_to_sigkill: 10_000]]}
      {:ok, supervisor} = Supervisor.start_link([spec], strategy: :one_for_one)

      for n <- 1..3 do
        wait_until(fn -> length(content(file)) == 2 * n - 1 end)
        [{Daemon, daemon, :worker, _modules}] = Supervisor.which_children(supervisor)
        Process.exit(daemon, :kill)
      end

      wait_until(fn -> length(content(file)) == 7 end)
      expected = ~w(begin end begin end begin end begin)
      assert content(file) == expected
      Supervisor.stop(supervisor)
    end

    @tag :tmp_dir
    test "does not delay others", %{tmp_dir: directory} do
      Process.flag(:trap_exit, true)
      one = Path.join(directory, "one")
      killed = start!(held(one))
      wait_until(fn -> content(one) == ["begin"] end)
      Process.exit(killed, :kill)
      daemon = start!(slow(Path.join(directory, "other")))
      assert content(one) == ["begin"]
      GenServer.stop(daemon)
      File.touch!(one <> ".go")
      wait_until(fn -> content(one) == ["begin", "end"] end)
    end

    test "leaves no entry behind when its program is gone" do
      Process.flag(:trap_exit, true)
      {:ok, daemon} = Daemon.start_link("sh", ["-c", "exec sleep 1000 # #{marker()}"])
      assert [_session] = sessions(daemon)
      program = Daemon.program_os_pid(daemon)
      Process.exit(daemon, :kill)
      wait_until(fn -> sessions(daemon) == [] end)
      refute alive?(program)
    end

    test "leaves no entry behind when it stops" do
      {:ok, daemon} = Daemon.start_link("sh", ["-c", "exec sleep 1000"])
      assert [_session] = sessions(daemon)
      GenServer.stop(daemon)
      wait_until(fn -> sessions(daemon) == [] end)
    end
  end

  # The entries that a successor waits for.
  defp sessions(daemon) do
    for {_hash, owner, session} <- :ets.tab2list(MuonTrap.Predecessors),
        owner == daemon,
        do: session
  end

  test "identical daemons run at the same time" do
    args = ["-c", "exec sleep 1000"]
    {:ok, one} = Daemon.start_link("sh", args)
    {:ok, other} = Daemon.start_link("sh", args)
    assert Daemon.program_os_pid(one) != Daemon.program_os_pid(other)
    GenServer.stop(one)
    GenServer.stop(other)
  end

  describe "restarts" do
    # Runs a supervised program until it is no longer restarted.
    defp run_out(restart, script, restarts?) do
      spec = Supervisor.child_spec({Daemon, ["sh", ["-c", script]]}, restart: restart)
      opts = [strategy: :one_for_one, max_restarts: 2, max_seconds: 60]
      Process.flag(:trap_exit, true)
      {:ok, supervisor} = Supervisor.start_link([spec], opts)

      if restarts? do
        # Gives up at the third end.
        assert_receive {:EXIT, ^supervisor, :shutdown}
      else
        wait_until(fn -> Supervisor.count_children(supervisor).active == 0 end)
        Supervisor.stop(supervisor)
      end
    end

    for {restart, code, expected} <- [
          {:permanent, 0, 3},
          {:permanent, 1, 3},
          {:transient, 0, 1},
          {:transient, 1, 3},
          {:temporary, 0, 1},
          {:temporary, 1, 1}
        ] do
      @tag :tmp_dir
      test "of a #{restart} daemon with exit status #{code}", %{tmp_dir: directory} do
        file = Path.join(directory, "starts")
        script = "echo begin >>'#{file}'; exit #{unquote(code)}"
        run_out(unquote(restart), script, unquote(expected > 1))
        assert length(content(file)) == unquote(expected)
      end
    end
  end
end
