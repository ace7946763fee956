// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes: starting the program, finding its descendants in `/proc`, killing and reaping them.

pub(crate) mod backoff;
pub(crate) mod children;
pub(crate) mod credentials;
pub(crate) mod descendants;
mod explain;
pub(crate) mod find;
pub(crate) mod leftovers;
pub(crate) mod permission;
pub(crate) mod preexisting;
pub(crate) mod program;
pub(crate) mod reap;
pub(crate) mod spawn;
pub(crate) mod stdio;
pub(crate) mod step;
pub(crate) mod sweep;
pub(crate) mod usage;
