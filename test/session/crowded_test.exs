# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.CrowdedTest do
  # Callers with many messages in their mailboxes. Not async: the path of the helper is a setting of the whole
  # BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.Error
  alias MuonTrap.Test.ForkServer

  @moduletag :tmp_dir

  defp crowd, do: for(n <- 1..1000, do: send(self(), n))

  test "a helper that does not reply ends when its caller is killed", context do
    file = Path.join(context.tmp_dir, "pid")
    ForkServer.without(silent_helper(context.tmp_dir, file, "cat >/dev/null; :"))

    caller =
      spawn(fn ->
        crowd()
        MuonTrap.cmd("true", [], delay_to_sigkill: 0)
      end)

    helper = await_pid(file)
    Process.exit(caller, :kill)
    await_gone(helper)
  end

  test "output is complete" do
    crowd()
    assert {output, 0} = MuonTrap.cmd("seq", ["1", "100000"])
    assert output == Enum.map_join(1..100_000, &"#{&1}\n")
  end

  test "a handle can end its program" do
    crowd()
    options = MuonTrap.Options.new(:process, "sleep", ["1000"], [])
    {:ok, state, _continue} = MuonTrap.Process.Server.init({self(), make_ref(), options})
    MuonTrap.Process.Server.terminate(:normal, state)
    refute alive?(state.session.program_pid)
  end

  @tag skip: if(not ForkServer.used?(), do: "needs the fork server")
  test "a stopped fork server is sent more than the socket holds" do
    name = "MUONTRAP_" <> marker()
    on_exit(fn -> Enum.each(1..5, &System.delete_env("#{name}_#{&1}")) end)
    crowd()
    ForkServer.stop()
    for n <- 1..5, do: System.put_env("#{name}_#{n}", String.duplicate("x", 100_000))
    assert %Error{step: :helper} = catch_error(MuonTrap.cmd("true", []))
    assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}
  end
end
