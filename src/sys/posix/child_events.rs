// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Deaths and stops of children as a descriptor: a pipe to which the handler of SIGCHLD writes.

use super::Waker;
use crate::sys::{SignalMask, check, note_changed, wake};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// Where the handler writes.
static WRITER: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note_child(_signal: c_int) {
    let errno = nix::errno::Errno::last_raw();
    wake(WRITER.load(Ordering::Relaxed));
    nix::errno::Errno::set_raw(errno);
}

/// Readable after a child has died or was stopped.
#[derive(Debug)]
pub struct ChildEvents(Waker);

impl ChildEvents {
    /// Blocks all other signals, except those that are `unblocked`.
    pub fn open(unblocked: impl IntoIterator<Item = c_int>) -> io::Result<Self> {
        let waker = Waker::open()?;
        WRITER.store(waker.writer(), Ordering::Relaxed);
        // SAFETY: plain old data, for which all zeroes is a valid value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = note_child as extern "C" fn(c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        note_changed(libc::SIGCHLD);
        // SAFETY: the handler makes only async-signal-safe calls, and keeps errno.
        check(unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) })?;
        SignalMask::all_but(unblocked.into_iter().chain([libc::SIGCHLD])).set()?;
        Ok(Self(waker))
    }

    /// Takes the events so far, and returns whether there may be more.
    pub fn clear(&self) -> bool {
        self.0.clear();
        false
    }

    /// For a fork of this process, before it closes the descriptor, whose number another file may get.
    #[allow(clippy::unused_self)]
    pub fn detach(&self) {
        WRITER.store(-1, Ordering::Relaxed);
    }
}

impl AsFd for ChildEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
