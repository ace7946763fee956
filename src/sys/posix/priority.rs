// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The scheduling priority of this process: setpriority(2).

use crate::sys::set_niceness;

/// The highest priority, where this process is permitted to have it, until this is dropped.
#[derive(Debug)]
pub struct HighPriority {
    before: i32,
}

impl HighPriority {
    pub fn take() -> Option<Self> {
        const HIGHEST: i32 = -20;
        // SAFETY: getpriority takes no pointers. It cannot fail for this process, and -1 is a niceness.
        let before = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        set_niceness(HIGHEST).ok().map(|()| Self { before })
    }
}

impl Drop for HighPriority {
    fn drop(&mut self) {
        // A lower priority needs no permission.
        let _ = set_niceness(self.before);
    }
}

/// Only Linux has autogroups.
pub fn make_session() {}
