# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Not async: the two thousand processes of the daemons slow down other tests, which look for theirs.
for {name, work, count, async?} <- [
      {Commands, :commands, 10_000, true},
      {Daemons, :daemons, 1000, false}
    ] do
  defmodule Module.concat(MuonTrap.SoakTest, name) do
    use ExUnit.Case, async: async?

    import MuonTrap.Test.OS

    alias MuonTrap.Test.{SecondBeam, Soak}

    @moduletag :soak
    @moduletag timeout: 900_000

    # Two pipes for each port.
    @descriptors 4096

    if not async?, do: @tag(MuonTrap.Test.Needs.needs(:lists_of_children))

    test "#{count} #{work} leave nothing behind" do
      marker = marker()
      beam = SecondBeam.start(marker, @descriptors)
      processes = marked(marker)
      {before, later} = SecondBeam.call(beam, Soak, unquote(work), [unquote(count)])
      assert Map.delete(later, :memory) == Map.delete(before, :memory)
      assert before.messages == 0 and before.timers == 0
      assert later.memory <= before.memory + Soak.slack_bytes()
      assert marked(marker) -- processes == []
      assert helpers(marker) == []
    end
  end
end
