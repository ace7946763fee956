// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Many descriptors at a time: `close_range(2)`.

use crate::sys::check;
use std::io;
use std::ops::Range;
use std::os::fd::RawFd;

/// Closes the descriptors in a range, or does to them what `flags` say. Since Linux 5.9.
pub fn close_range(range: &Range<RawFd>, flags: libc::c_uint) -> io::Result<()> {
    let (first, last) = (range.start, range.end - 1);
    // SAFETY: close_range takes no pointers. What it closes is up to the callers.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    check(i32::try_from(result).unwrap_or(-1)).map(drop)
}
