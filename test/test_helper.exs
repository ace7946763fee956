# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Runs all tests without a fork server, except those about it.
if System.get_env("MUONTRAP_TEST_FORK_SERVER") == "false",
  do: Application.put_env(:muontrap, :fork_server, false)

# Mix loads these only when it has to install the helper.
for file <- ~w(target linkage helpers), do: Code.require_file("../mix/#{file}.exs", __DIR__)

# On a busy machine, everything takes longer, and these are for what never comes.
deadlines = [timeout: 300_000, assert_receive_timeout: 60_000]

ExUnit.start(deadlines ++ MuonTrap.Test.Summary.options())
