// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Whether muontrap will be permitted to send signals to the program.

use crate::error::{Failure, Step};
use crate::sys;
use nix::unistd::{geteuid, getuid};

/// Refuses to start a program of another user without `CAP_KILL`, since it could not be stopped. Containers often
/// lack that capability.
pub fn may_stop(uid: u32) -> Result<(), Failure> {
    if [getuid().as_raw(), geteuid().as_raw()].contains(&uid) || sys::may_signal_others() {
        return Ok(());
    }
    Err(Failure::new(
        Step::Uid,
        format!("a program of user {uid} could not be stopped without CAP_KILL"),
    )
    .errno(libc::EPERM)
    .path(uid.to_string())
    .advice(
        "give the BEAM the capability CAP_KILL, which permits signals to processes of other users",
    ))
}
