// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Whether muontrap will be permitted to send signals to the program.

use crate::error::{Failure, Step};
use nix::unistd::{geteuid, getuid};

/// Bits of capabilities(7).
#[cfg(target_os = "linux")]
const CAP_KILL: u64 = 1 << 5;
#[cfg(target_os = "linux")]
const CAP_SETUID: u64 = 1 << 7;

/// Refuses to start a program of another user without `CAP_KILL`, since it could not be stopped. Containers often
/// lack that capability.
#[cfg(target_os = "linux")]
pub fn may_stop(uid: u32) -> Result<(), Failure> {
    if [getuid().as_raw(), geteuid().as_raw()].contains(&uid) {
        return Ok(());
    }
    match crate::sys::effective_capabilities() {
        // Without CAP_SETUID, the switch of the user fails, with its own error.
        Ok(held) if held & CAP_KILL == 0 && held & CAP_SETUID != 0 => Err(Failure::new(
            Step::Uid,
            format!("a program of user {uid} could not be stopped without CAP_KILL"),
        )
        .errno(libc::EPERM)
        .path(uid.to_string())
        .advice("give the BEAM the capability CAP_KILL, which permits signals to processes of other users")),
        _ => Ok(()),
    }
}

/// Only root may switch the user elsewhere, and root may signal all processes.
#[cfg(not(target_os = "linux"))]
pub fn may_stop(_uid: u32) -> Result<(), Failure> {
    Ok(())
}
