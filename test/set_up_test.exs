# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.SetUpTest do
  # Not async: the path of the helper is a setting of the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error, Result}

  @moduletag :tmp_dir

  # A group that a daemon uses.
  defp with_busy_group(fun) do
    with_group(fn group ->
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], cgroup_path: group)
      fun.(group)
      GenServer.stop(daemon)
    end)
  end

  describe ":timeout before the program is started" do
    @tag needs(cgroups: [])
    test "while another program has the cgroup" do
      with_busy_group(fn group ->
        opts = [cgroup_path: group, timeout: 100]
        assert MuonTrap.cmd("echo", ["hi"], opts) == {"", :timeout}
        assert MuonTrap.cmd("echo", ["hi"], [into: [], lines: 80] ++ opts) == {[], :timeout}
        assert %Result{exit_status: :timeout, signal: nil} = MuonTrap.run("echo", ["hi"], opts)
        assert mailbox() == []
      end)
    end

    @tag needs(cgroups: [])
    test "while another program has the cgroup, for a caller with a crowded mailbox" do
      for _ <- 1..600, do: send(self(), :unrelated)

      with_busy_group(fn group ->
        assert MuonTrap.cmd("true", [], cgroup_path: group, timeout: 100) == {"", :timeout}
        assert Enum.uniq(mailbox()) == [:unrelated]
      end)
    end

    test "with a helper that does not answer", %{tmp_dir: directory} do
      marker = marker()
      pid = Path.join(directory, "pid")
      script = ": #{marker}; while :; do sleep 1000; done"
      MuonTrap.Test.ForkServer.without(silent_helper(directory, pid, script))

      assert MuonTrap.cmd("true", [], timeout: 3000, delay_to_sigkill: 0) == {"", :timeout}
      refute alive?(await_pid(pid))
      assert mailbox() == []
    end

    test "does not replace another error" do
      assert_raise ErlangError, fn -> MuonTrap.cmd("/no/such", [], timeout: 60_000) end
    end

    test "may be as short as possible" do
      for timeout <- 1..4, _ <- 1..30 do
        assert {_, :timeout} = MuonTrap.cmd("sleep", ["1000"], timeout: timeout)
      end
    end
  end

  describe "before the program is started" do
    # A waiting helper is found by its title, which only sessions of a fork server have.
    @tag needs(cgroups: [])
    @tag skip: if(not MuonTrap.ForkServer.used?(), do: "needs the fork server")
    test "a signal to the helper is reported as such" do
      with_busy_group(fn group ->
        marker = marker()
        command = fn -> MuonTrap.cmd("true", [marker], cgroup_path: group) end
        task = Task.async(fn -> catch_error(command.()) end)
        [helper] = wait_until(fn -> with [] <- waiting(marker), do: nil end)
        kill(helper, "TERM")
        assert %Error{step: :stopped} = error = Task.await(task, :infinity)
        assert Exception.message(error) =~ "told to stop before the program was started"
      end)
    end
  end

  # Helpers that already handle signals.
  defp waiting(marker) do
    for pid <- helpers(marker),
        {:ok, status} <- [File.read("/proc/#{pid}/status")],
        [_, caught] = Regex.run(~r/^SigCgt:\s*(\w+)/m, status),
        String.to_integer(caught, 16) != 0,
        do: pid
  end
end
