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

/// There is no such signal.
#[allow(clippy::unnecessary_wraps)]
pub fn set_parent_death_signal(_signal: c_int) -> io::Result<()> {
    Ok(())
}
