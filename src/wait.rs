// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting before there is an event loop. It ends early when the program is to be stopped.

use crate::session::signals::Signals;
use crate::wire::control::Control;
use crate::wire::outbox::Outbox;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// How the steps of the set-up wait.
pub trait Wait: Debug {
    /// Waits until there is something to read from `fd`, the end included, but no longer than `time`: whether
    /// there is. May return before that.
    ///
    /// # Errors
    ///
    /// `ECANCELED` when the program is to be stopped.
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool>;

    /// Waits for `time`, or shorter.
    ///
    /// # Errors
    ///
    /// As [`Self::readable`].
    fn pause(&self, time: Duration) -> io::Result<()> {
        self.readable(None, time).map(drop)
    }
}

/// Waits that nothing ends early.
#[derive(Clone, Copy, Debug)]
pub struct Undisturbed;

impl Wait for Undisturbed {
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool> {
        let mut fds: Vec<_> = fd
            .into_iter()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        wait(&mut fds, time)?;
        Ok(is_ready(fds.first()))
    }
}

/// Waits that end when the owner is gone, or when a STOP frame or a signal stops the program.
#[derive(Debug)]
pub struct WhileWanted<'a> {
    control: RefCell<&'a mut Control>,
    output: Option<BorrowedFd<'static>>,
    signals: &'a Signals,
    canceled: Cell<bool>,
}

impl<'a> WhileWanted<'a> {
    /// For the owner at the other end of `control` and `outbox`.
    pub fn new(control: &'a mut Control, outbox: &Outbox, signals: &'a Signals) -> Self {
        Self {
            control: RefCell::new(control),
            output: outbox.fd(),
            signals,
            canceled: Cell::new(false),
        }
    }

    /// Whether a wait ended with `ECANCELED`.
    pub fn is_canceled(&self) -> bool {
        self.canceled.get()
    }
}

impl Wait for WhileWanted<'_> {
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool> {
        let mut control = self.control.borrow_mut();
        let commands = control.fd();
        let fds = [
            Some(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)),
            Some(PollFd::new(commands, control.interest())),
            // Only to hear of its end.
            self.output.map(|fd| PollFd::new(fd, PollFlags::empty())),
            fd.map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        ];
        let mut fds: Vec<_> = fds.into_iter().flatten().collect();
        wait(&mut fds, time)?;
        let ready = fd.is_some() && is_ready(fds.last());
        let hung_up = |fd: &PollFd<'_>| {
            let ends = PollFlags::POLLHUP | PollFlags::POLLERR;
            fd.revents().is_some_and(|events| events.intersects(ends))
        };
        let gone = hung_up(&fds[1]) || self.output.is_some() && hung_up(&fds[2]);
        let commanded = is_ready(fds.get(1));
        self.signals.drain();
        let stopped = commanded && control.asks_to_stop()?;
        if gone || stopped || self.signals.take_stop() {
            self.canceled.set(true);
        }
        if self.canceled.get() {
            return Err(Errno::ECANCELED.into());
        }
        Ok(ready)
    }
}

fn is_ready(fd: Option<&PollFd<'_>>) -> bool {
    fd.and_then(PollFd::any).unwrap_or(false)
}

fn wait(fds: &mut [PollFd<'_>], time: Duration) -> io::Result<()> {
    // In milliseconds, rounded up: 0 would not wait at all.
    let time = time.saturating_add(Duration::from_nanos(999_999));
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    match poll(fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
