// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Limits on resources: setrlimit(2).
// Types differ between systems.
#![allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::useless_conversion,
    clippy::unnecessary_min_or_max
)]

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
    check(unsafe { libc::getrlimit(resource as _, &raw mut limit) })?;
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
    check(unsafe { libc::setrlimit(resource as _, &raw const limit) }).map(drop)
}

/// Infinity is not the largest number, and the type is signed on FreeBSD.
fn from_system(limit: libc::rlim_t) -> u64 {
    if limit == libc::RLIM_INFINITY {
        UNLIMITED
    } else {
        limit.try_into().unwrap_or(UNLIMITED)
    }
}

fn to_system(limit: u64) -> libc::rlim_t {
    let infinity = libc::RLIM_INFINITY;
    limit
        .try_into()
        .map_or(infinity, |it: libc::rlim_t| it.min(infinity))
}
