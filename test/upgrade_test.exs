# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.UpgradeTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Test.{SecondBeam, Upgrade}

  @tag :tmp_dir
  test "programs and the fork server go on when all modules are loaded anew, twice", context do
    second = SecondBeam.start(marker())
    result = SecondBeam.call(second, Upgrade, :while_programs_run, [context.tmp_dir])

    assert result == %{
             old: {"done\n", 0},
             lines: ["1", "2"],
             new: [{"hi\n", 0}, {"hi\n", 0}],
             servers: 1
           }
  end
end
