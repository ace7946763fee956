// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Pauses: nanosleep(2).

use std::time::Duration;

/// Sleeps for `time`, less than a second, or until a signal arrives.
pub fn pause(time: Duration) {
    // By way of i32, since the type of the field differs between systems.
    let nanoseconds = i32::try_from(time.subsec_nanos()).unwrap_or(i32::MAX);
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: nanoseconds.into(),
    };
    // SAFETY: the first pointer is to a live timespec, and the second may be null.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}
