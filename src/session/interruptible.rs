// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting during the set-up, which ends early when the program is no longer wanted.

use super::signals::Signals;
use crate::wait::{Wait, is_ready, poll_for};
use crate::wire::inbox::Inbox;
use crate::wire::outbox::Outbox;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Waits that end with `ECANCELED` when the owner disconnects, or when a STOP frame or a signal asks to stop.
#[derive(Debug)]
pub(super) struct InterruptibleWait<'a> {
    inbox: RefCell<&'a mut Inbox>,
    output: Option<BorrowedFd<'static>>,
    signals: &'a Signals,
    canceled: Cell<bool>,
}

impl<'a> InterruptibleWait<'a> {
    /// For the owner at the other end of `inbox` and `outbox`.
    pub(super) fn new(inbox: &'a mut Inbox, outbox: &Outbox, signals: &'a Signals) -> Self {
        Self {
            inbox: RefCell::new(inbox),
            output: outbox.fd(),
            signals,
            canceled: Cell::new(false),
        }
    }

    /// Whether a wait ended with `ECANCELED`.
    pub(super) fn is_canceled(&self) -> bool {
        self.canceled.get()
    }
}

impl Wait for InterruptibleWait<'_> {
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool> {
        let mut inbox = self.inbox.borrow_mut();
        let from_owner = inbox.fd();
        let fds = [
            Some(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)),
            Some(PollFd::new(from_owner, inbox.interest())),
            // Without events, for POLLHUP and POLLERR alone.
            self.output.map(|fd| PollFd::new(fd, PollFlags::empty())),
            fd.map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        ];
        let mut fds: Vec<_> = fds.into_iter().flatten().collect();
        poll_for(&mut fds, time)?;
        let ready = fd.is_some() && is_ready(fds.last());
        let hung_up = |fd: &PollFd<'_>| {
            let ends = PollFlags::POLLHUP | PollFlags::POLLERR;
            fd.revents().is_some_and(|events| events.intersects(ends))
        };
        let gone = hung_up(&fds[1]) || self.output.is_some() && hung_up(&fds[2]);
        let has_input = is_ready(fds.get(1));
        self.signals.drain();
        let stopped = has_input && inbox.asks_to_stop()?;
        if gone || stopped || self.signals.take_stop() {
            self.canceled.set(true);
        }
        if self.canceled.get() {
            return Err(Errno::ECANCELED.into());
        }
        Ok(ready)
    }
}
