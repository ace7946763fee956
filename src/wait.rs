// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting by poll(2), where there is no event loop.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fmt::Debug;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A way to wait. Code that blocks takes one, so that its caller decides what may interrupt it.
pub trait Wait: Debug {
    /// Waits at most `time` until `fd` is readable or at its end, and returns whether it is. May return early.
    ///
    /// # Errors
    ///
    /// `ECANCELED` when the caller no longer wants the result.
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool>;

    /// Waits at most `time`.
    ///
    /// # Errors
    ///
    /// As [`Self::readable`].
    fn pause(&self, time: Duration) -> io::Result<()> {
        self.readable(None, time).map(drop)
    }
}

/// Waits that nothing interrupts but signals.
#[derive(Clone, Copy, Debug)]
pub struct Undisturbed;

impl Wait for Undisturbed {
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool> {
        let mut fds: Vec<_> = fd
            .into_iter()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        poll_for(&mut fds, time)?;
        Ok(is_ready(fds.first()))
    }
}

/// Whether poll(2) reported anything for `fd`.
pub fn is_ready(fd: Option<&PollFd<'_>>) -> bool {
    fd.and_then(PollFd::any).unwrap_or(false)
}

/// Polls once, at most `time` or until a signal arrives.
pub fn poll_for(fds: &mut [PollFd<'_>], time: Duration) -> io::Result<()> {
    // In milliseconds, rounded up: 0 would not wait at all.
    let time = time.saturating_add(Duration::from_nanos(999_999));
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    match poll(fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
