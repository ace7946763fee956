# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

ExUnit.start(MuonTrap.Test.Summary.options())
