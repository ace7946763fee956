# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Runs all tests without a fork server, except those about it.
if System.get_env("MUONTRAP_TEST_FORK_SERVER") == "false",
  do: Application.put_env(:muontrap, :fork_server, false)

ExUnit.start(MuonTrap.Test.Summary.options())
