// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The data path: the program's output to the owner, and the owner's input to the program.

pub(crate) mod output;
mod read_ahead;
pub(crate) mod stdin;
pub(crate) mod window;
