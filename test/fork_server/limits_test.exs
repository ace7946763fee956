# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.LimitsTest do
  # What the host does not allow the fork server. Not async: it is that of the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.{Cgroup, Needs, OS}

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Test.ForkServer

  @moduletag :capture_log

  if ForkServer.used?() do
    @tag needs(cgroups: ["pids"])
    test "a fork server that cannot fork is an error of the command, and lives on" do
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

        # It would be killed with the group.
        kill(server, "KILL")
        wait_until(fn -> ForkServer.os_pid() != server end)
        GenServer.stop(daemon)
      end)
    end
  end
end
