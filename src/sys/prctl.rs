// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Attributes of this process: prctl(2).

use std::io;

/// Makes this process the parent of orphans among its descendants: `PR_SET_CHILD_SUBREAPER(2const)`.
#[cfg(target_os = "linux")]
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: this prctl takes no pointers.
    super::check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// There are no subreapers elsewhere: orphans are found by their process group alone.
#[cfg(not(target_os = "linux"))]
pub fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// Protects this process's memory and descriptors (`/proc/<pid>/fd`) from other processes of its user:
/// `PR_SET_DUMPABLE(2const)`. The exec of a program resets it.
#[cfg(target_os = "linux")]
pub fn become_undumpable() {
    // SAFETY: this prctl takes no pointers. It cannot fail with this argument.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// Descriptors cannot be opened by way of `/proc` elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn become_undumpable() {}

/// Has the kernel send `signal` to this process when its parent dies: `PR_SET_PDEATHSIG(2const)`. For the child.
#[cfg(target_os = "linux")]
pub fn set_parent_death_signal(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: this prctl takes no pointers.
    super::check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) }).map(drop)
}

/// There is no such signal elsewhere.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)]
pub fn set_parent_death_signal(_signal: libc::c_int) -> io::Result<()> {
    Ok(())
}
