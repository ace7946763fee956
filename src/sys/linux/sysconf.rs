// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Units of the kernel: sysconf(3).

use std::io;

/// How many clock ticks of `/proc` a second has.
pub fn ticks_per_second() -> io::Result<u64> {
    positive(libc::_SC_CLK_TCK)
}

pub fn page_bytes() -> io::Result<u64> {
    positive(libc::_SC_PAGESIZE)
}

fn positive(name: libc::c_int) -> io::Result<u64> {
    // SAFETY: takes no pointer.
    let value = unsafe { libc::sysconf(name) };
    let positive = u64::try_from(value).ok().filter(|&value| value > 0);
    positive.ok_or_else(|| io::ErrorKind::Unsupported.into())
}
