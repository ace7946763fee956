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

    /// Takes the events so far. None is left: while a SIGCHLD is pending, epoll(7) tells of no other one. Of those that
    /// tgkill(2) has sent to the thread, one more can be pending.
    pub fn clear(&self) {
        while let Ok(Some(_)) = self.0.read_signal() {}
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
