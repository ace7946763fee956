// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Deaths and stops of children as a descriptor: signalfd(2).

use super::SignalMask;
use crate::sys::make_default;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Readable after a child has died or was stopped.
#[derive(Debug)]
pub struct ChildEvents(SignalFd);

impl ChildEvents {
    /// Blocks all signals, SIGCHLD included, except those that are `unblocked`.
    pub fn open(unblocked: impl IntoIterator<Item = c_int>) -> io::Result<Self> {
        // It may have been inherited as ignored, and then the kernel reaps children by itself.
        make_default(libc::SIGCHLD);
        SignalMask::all_but(unblocked).set()?;
        let child = SigSet::from(Signal::SIGCHLD);
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&child, flags)?))
    }

    /// Takes the events so far, and returns whether there may be more. Call it again then: while a SIGCHLD is pending,
    /// epoll(7) tells of no other one.
    ///
    /// One can be pending for the process and one for the thread (tgkill(2)). A program may send them as fast as they are
    /// read here, which must not keep this process from all else.
    pub fn clear(&self) -> bool {
        const PENDING: usize = 2;
        (0..PENDING).all(|_| matches!(self.0.read_signal(), Ok(Some(_))))
    }

    /// For a fork of this process, before it closes the descriptor.
    #[allow(clippy::unused_self)]
    pub fn detach(&self) {}
}

impl AsFd for ChildEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
