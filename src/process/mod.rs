// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes: starting the program, finding its descendants in `/proc`, killing and reaping them.

pub(crate) mod attributes;
pub(crate) mod backoff;
pub(crate) mod children;
pub(crate) mod credentials;
mod explain;
pub(crate) mod find;
pub(crate) mod kills;
pub(crate) mod leftovers;
pub(crate) mod permission;
pub(crate) mod preexisting;
pub(crate) mod process_ids;
pub(crate) mod program;
mod progress;
pub(crate) mod reap;
pub(crate) mod spawn;
pub(crate) mod stdio;
pub(crate) mod step;
pub(crate) mod usage;

// Orphans become children of a subreaper. Where there are none, descendants are found in the process table.
#[cfg(not(any(target_os = "macos", feature = "portable")))]
mod descendants;
#[cfg(not(any(target_os = "macos", feature = "portable")))]
pub(crate) mod sweep;

#[cfg(any(target_os = "macos", feature = "portable"))]
mod strangers;
#[cfg(any(target_os = "macos", feature = "portable"))]
pub(crate) mod sweep_by_table;
#[cfg(any(target_os = "macos", feature = "portable"))]
mod tracker;
#[cfg(any(target_os = "macos", feature = "portable"))]
pub(crate) use sweep_by_table as sweep;
