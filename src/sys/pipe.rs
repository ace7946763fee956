// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Pipes: pipe(2), pipe(7).

use super::check;
use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;

/// How many bytes are in a pipe: `FIONREAD`.
pub fn bytes_waiting(fd: &impl AsRawFd) -> io::Result<u64> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(u64::try_from(count).unwrap_or(0))
}
