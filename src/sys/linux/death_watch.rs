// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting for the death of a process that is no child: `pidfd_open(2)`.

use super::open_pid;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Notices the death of one process.
#[derive(Debug)]
pub struct DeathWatch(OwnedFd);

impl DeathWatch {
    /// Of the process that has this pid at present.
    pub fn of(pid: i32) -> io::Result<Self> {
        open_pid(pid).map(Self)
    }

    pub fn is_dead(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..))
    }

    /// A descriptor that becomes readable when the process dies, if there is one.
    #[allow(clippy::unnecessary_wraps)]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}
