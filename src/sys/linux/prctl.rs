// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Attributes of this process: prctl(2), and `oom_score_adj` in `/proc`.

use crate::sys::check;
use std::ffi::CStr;
use std::io::{self, Write as _};

/// Makes this process the parent of orphans among its descendants: `PR_SET_CHILD_SUBREAPER(2const)`.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: this prctl takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// There is no call that kills all descendants: they are killed one by one.
pub fn kill_descendants() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Protects this process's memory and descriptors (`/proc/<pid>/fd`) from other processes of its user:
/// `PR_SET_DUMPABLE(2const)`. The exec of a program resets it.
pub fn become_undumpable() {
    // SAFETY: this prctl takes no pointers. It cannot fail with this argument.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// Whether [`set_parent_death_signal`] does something.
pub const HAS_PARENT_DEATH_SIGNAL: bool = true;

/// Has the kernel send `signal` to this process when its parent dies: `PR_SET_PDEATHSIG(2const)`. For the child.
pub fn set_parent_death_signal(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: this prctl takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) }).map(drop)
}

/// Has no exec of this process and of its descendants give privileges: `PR_SET_NO_NEW_PRIVS(2const)`. For the child.
pub fn set_no_new_privs() -> io::Result<()> {
    // SAFETY: this prctl takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// Sets what is added to the score by which the kernel selects a process to kill when memory runs out. For the child,
/// in memory of its own.
///
/// The file of an undumpable process belongs to root, so that another user has to make the process dumpable to open
/// it. It is not opened before the fork: `/proc/self` is the process that opens it.
pub fn set_oom_score_adj(score: i32) -> io::Result<()> {
    const PATH: &CStr = c"/proc/self/oom_score_adj";
    const LONGEST: usize = "-2147483648".len();
    let open = || {
        // SAFETY: the path is a live C string.
        check(unsafe { libc::open(PATH.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) })
    };
    let fd = match open() {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            // SAFETY: these prctls take no pointers.
            unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
            let opened = open();
            become_undumpable();
            opened?
        }
        result => result?,
    };
    let mut text = [0_u8; LONGEST];
    let mut rest = &mut text[..];
    write!(rest, "{score}")?;
    let length = LONGEST - rest.len();
    // SAFETY: the buffer is live and has as many bytes.
    let written = unsafe { libc::write(fd, text.as_ptr().cast(), length) };
    // Before anything else changes errno. The exec closes the descriptor.
    check(if written < 0 { -1 } else { 0 }).map(drop)
}

/// Sets the name that ps(1) shows of this process, of at most 15 bytes: `PR_SET_NAME(2const)`.
pub fn set_process_name(name: &CStr) {
    // SAFETY: the pointer is to a live null-terminated string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}
