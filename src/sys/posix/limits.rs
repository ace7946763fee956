// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Limits on resources: setrlimit(2).

use crate::sys::{Limits, UNLIMITED, check};
use std::ffi::c_int;
use std::io;

/// Resources that are not everywhere.
pub const MORE_RESOURCES: &[(&str, c_int)] = &[];

/// The largest limit on descriptors is not known.
pub fn nr_open() -> Option<u64> {
    None
}

/// The limits of this process. For the child.
pub fn get_limits(resource: c_int) -> io::Result<Limits> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live, writable rlimit.
    check(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    Ok(Limits {
        soft: from_system(limit.rlim_cur),
        hard: from_system(limit.rlim_max),
    })
}

/// Sets the limits of this process. For the child.
pub fn set_limits(resource: c_int, limits: Limits) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: to_system(limits.soft),
        rlim_max: to_system(limits.hard),
    };
    // SAFETY: the pointer is to a live rlimit.
    check(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}

/// Infinity is not the largest number. The type is signed on FreeBSD.
#[allow(clippy::unnecessary_fallible_conversions)]
fn from_system(limit: libc::rlim_t) -> u64 {
    if limit == libc::RLIM_INFINITY {
        UNLIMITED
    } else {
        u64::try_from(limit).unwrap_or(UNLIMITED)
    }
}

#[allow(clippy::unnecessary_fallible_conversions)]
fn to_system(limit: u64) -> libc::rlim_t {
    libc::rlim_t::try_from(limit)
        .unwrap_or(libc::RLIM_INFINITY)
        .min(libc::RLIM_INFINITY)
}
