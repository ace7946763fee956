# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Cgroup.ForkServerTest do
  # Not async: the fork server is put into a cgroup.
  use ExUnit.Case

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Test.{ForkServer, SecondBeam}

  @moduletag :capture_log
  @moduletag skip: if(not ForkServer.used?(), do: "needs the fork server")
  @moduletag needs(cgroups: ["pids"])

  test "a fork server that cannot fork reports an error of the command, and goes on" do
    with_group(["pids"], fn group ->
      opts = [cgroup_path: group, cgroup: %{pids_max: 100}]
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], opts)
      server = ForkServer.os_pid()
      limit = file(group, "pids.max")
      limit |> Path.dirname() |> Path.join("cgroup.procs") |> File.write!("#{server}")
      File.write!(limit, "1")

      for _ <- 1..100 do
        error = catch_error(MuonTrap.cmd("true", []))
        assert %Error{step: :spawn, errno: :eagain} = error
        assert Exception.message(error) =~ "cannot fork a session"
        assert error.advice =~ "pids.max"
      end

      assert ForkServer.os_pid() == server
      File.write!(limit, "100")
      assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}

      # Otherwise it would be killed with the group.
      kill(server, "KILL")
      wait_until(fn -> ForkServer.os_pid() != server end)
      GenServer.stop(daemon)
    end)
  end

  test "the cgroup of a session that is killed together with the BEAM is removed" do
    with_group(["pids"], fn group ->
      marker = marker()
      second = SecondBeam.start("of-" <> marker())
      script = "sleep 1000 & (setsid sleep 1000 &) ; wait"
      opts = [cgroup_base: group, cgroup: %{pids_max: 100}, env: [{"MARKER", marker}]]
      SecondBeam.spawn(second, MuonTrap, :cmd, ["sh", ["-c", script], opts])
      wait_until(fn -> length(marked(marker)) == 3 end)
      [session] = helpers(marker)
      assert below(group) != []
      # In this order: a session ends by itself when the BEAM is gone.
      kill("#{session} #{second.os_pid}", "KILL")
      wait_until(fn -> marked(marker) == [] and below(group) == [] end)
    end)
  end
end
