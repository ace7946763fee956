// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting for the death of a process that is no child, by looking at the process table.

use crate::sys::Process;
use std::io;
use std::os::fd::BorrowedFd;

/// Notices the death of one process.
#[derive(Debug)]
pub struct DeathWatch(Process);

impl DeathWatch {
    /// Of the process that has this pid at present.
    pub fn of(pid: i32) -> io::Result<Self> {
        Process::find(pid).map(Self)
    }

    pub fn is_dead(&self) -> bool {
        let now = Process::find(self.0.pid);
        !now.is_ok_and(|now| now.started == self.0.started && !now.is_dead())
    }

    /// A descriptor that becomes readable when the process dies: there is none.
    #[allow(clippy::unused_self)]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
