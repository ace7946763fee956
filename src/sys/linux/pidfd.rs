// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Signals and events of one process, never of a later one with the same pid: `pidfd_open(2)`.

use crate::sys::check;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Opens a descriptor that becomes readable when the process dies: `pidfd_open(2)`, since Linux 5.3.
pub fn open_pid(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(c_int::try_from(fd).unwrap_or(-1))?;
    // SAFETY: it was just opened, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process of an open directory `/proc/<pid>`: `pidfd_send_signal(2)`, since Linux 5.1.
pub fn kill_by_directory(directory: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    let fd = directory.as_raw_fd();
    // SAFETY: without a siginfo_t, no memory is read.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, 0) };
    check(c_int::try_from(result).unwrap_or(-1)).map(drop)
}
