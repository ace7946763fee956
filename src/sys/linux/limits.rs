// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Limits on resources: prlimit(2).

use crate::sys::Limits;
use crate::sys::check;
use std::ffi::c_int;
use std::io;

/// The resources that only Linux has. The type of the numbers differs between C libraries.
#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
pub const MORE_RESOURCES: &[(&str, c_int)] = &[
    ("locks", libc::RLIMIT_LOCKS as c_int),
    ("msgqueue", libc::RLIMIT_MSGQUEUE as c_int),
    ("nice", libc::RLIMIT_NICE as c_int),
    ("rtprio", libc::RLIMIT_RTPRIO as c_int),
    ("rttime", libc::RLIMIT_RTTIME as c_int),
    ("sigpending", libc::RLIMIT_SIGPENDING as c_int),
];

/// The largest limit on descriptors: `proc_sys_fs(5)`.
pub fn nr_open() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/fs/nr_open").ok()?;
    text.trim_ascii_end().parse().ok()
}

/// The limits of this process. For the child.
pub fn get_limits(resource: c_int) -> io::Result<Limits> {
    let mut limits = Limits::default();
    prlimit(resource, std::ptr::null(), &raw mut limits)?;
    Ok(limits)
}

/// Sets the limits of this process. For the child.
pub fn set_limits(resource: c_int, limits: Limits) -> io::Result<()> {
    prlimit(resource, &raw const limits, std::ptr::null_mut())
}

/// Of this process. Without the C library, whose limits may have 32 bits.
fn prlimit(resource: c_int, new: *const Limits, old: *mut Limits) -> io::Result<()> {
    // SAFETY: each pointer is null or to a live `Limits`, which has the layout of the kernel's struct rlimit64.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, new, old) };
    check(if result == 0 { 0 } else { -1 }).map(drop)
}
