// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a signal handler writes to so that a wait ends: eventfd(2).

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};

/// Readable after a write to [`Self::writer`].
#[derive(Debug)]
pub struct Waker(EventFd);

impl Waker {
    pub fn open() -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    /// Takes what was written so far.
    pub fn clear(&self) {
        let _ = self.0.read();
    }

    /// Takes 8 bytes at a time, and does not block.
    pub fn writer(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
