// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a signal handler writes to so that a wait ends: a pipe.

use crate::reactor::set_nonblocking;
use crate::sys::system::pipe;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

/// Readable after a write to [`Self::writer`].
#[derive(Debug)]
pub struct Waker {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Waker {
    pub fn open() -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        set_nonblocking(&reader)?;
        set_nonblocking(&writer)?;
        Ok(Self { reader, writer })
    }

    /// Takes what was written so far.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!(nix::unistd::read(&self.reader, &mut bytes), Ok(count) if count == bytes.len())
        {
        }
    }

    /// Does not block.
    pub fn writer(&self) -> RawFd {
        self.writer.as_raw_fd()
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
