# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: CC0-1.0

[
  inputs: [
    "*.exs",
    ".formatter.exs",
    "{mix,lib,test,bench,examples,scripts,config}/**/*.{ex,exs}"
  ]
]
