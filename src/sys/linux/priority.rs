// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The scheduling policy of this process: sched(7).

use std::ffi::{c_int, c_long};

/// A priority above all processes with the usual scheduling policies, where this process is permitted to have it, until
/// this is dropped. Forks of this process do not have it.
///
/// A low niceness would not do: with autogroups, it counts among the processes of a session (setsid(2)) alone.
#[derive(Debug)]
pub struct HighPriority {
    policy: c_long,
}

impl HighPriority {
    pub fn take() -> Option<Self> {
        // SAFETY: this takes no pointers.
        let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
        // Those of real time are high enough.
        let is_usual = matches!(
            c_int::try_from(policy),
            Ok(libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE)
        );
        let high = c_long::from(libc::SCHED_RR | libc::SCHED_RESET_ON_FORK);
        (is_usual && set(high, 1)).then_some(Self { policy })
    }
}

impl Drop for HighPriority {
    fn drop(&mut self) {
        // The niceness stays as it was.
        set(self.policy, 0);
    }
}

/// By system calls: musl has no such functions.
fn set(policy: c_long, priority: c_int) -> bool {
    // SAFETY: the kernel reads an integer by the pointer, `struct sched_param`.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) == 0 }
}
