// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What becomes of orphans on macOS.

use std::ffi::c_int;
use std::io;

/// Orphans become children of init.
#[allow(clippy::unnecessary_wraps)]
pub fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// Whether [`set_parent_death_signal`] does something.
pub const HAS_PARENT_DEATH_SIGNAL: bool = false;

/// There is no such signal.
#[allow(clippy::unnecessary_wraps)]
pub fn set_parent_death_signal(_signal: c_int) -> io::Result<()> {
    Ok(())
}
