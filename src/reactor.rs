// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Readiness of descriptors: mio, with its edges kept as flags.
//!
//! mio is edge-triggered. [`Ready`] keeps what it reported until a read or write returns `WouldBlock`, or a short read shows
//! that nothing is left, so that a source that is not read for lack of credit is not forgotten.

use crate::sys;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// A descriptor that the session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The stream from the owner.
    Inbox,
    /// The stream to the owner.
    Outbox,
    /// The program's stdin.
    Stdin,
    /// The program's stdout.
    Stdout,
    /// The program's stderr.
    Stderr,
    /// What signal handlers write to.
    Signal,
    /// Deaths and stops of children.
    Children,
    /// The socket for notifications of the program.
    Notify,
    /// What tells of forks of the program and its descendants.
    Forks,
}

const SOURCES: [Source; 9] = [
    Source::Inbox,
    Source::Outbox,
    Source::Stdin,
    Source::Stdout,
    Source::Stderr,
    Source::Signal,
    Source::Children,
    Source::Notify,
    Source::Forks,
];

/// The sources that are ready, and those whose other end is closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    flags: [bool; SOURCES.len()],
    closed: [bool; SOURCES.len()],
    /// When each source became ready, or had its last turn, in terms of `clock`.
    since: [u64; SOURCES.len()],
    clock: u64,
}

impl Ready {
    /// Whether `source` may be readable or writable.
    pub fn is(&self, source: Source) -> bool {
        self.flags[source as usize]
    }

    /// Whether the other end of `source` is closed. Bytes may be left to read.
    pub fn is_closed(&self, source: Source) -> bool {
        self.closed[source as usize]
    }

    /// Marks `source` as ready.
    pub fn set(&mut self, source: Source) {
        if !std::mem::replace(&mut self.flags[source as usize], true) {
            self.requeue(source);
        }
    }

    /// The place of `source` in the order in which sources became ready, or were requeued.
    pub fn place(&self, source: Source) -> u64 {
        self.since[source as usize]
    }

    /// Puts `source` after all others.
    pub fn requeue(&mut self, source: Source) {
        self.clock += 1;
        self.since[source as usize] = self.clock;
    }

    /// Marks `source` as blocked until the next edge.
    pub fn clear(&mut self, source: Source) {
        self.flags[source as usize] = false;
    }
}

/// Waits for events of the sources.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    /// The events so far.
    pub ready: Ready,
}

impl Reactor {
    /// Creates a reactor without sources.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(16),
            ready: Ready::default(),
        })
    }

    /// Registers a source to read from.
    pub fn watch_read(&self, source: Source, fd: &impl AsRawFd) -> io::Result<()> {
        self.watch(source, fd, Interest::READABLE)
    }

    /// Registers a source to write to.
    pub fn watch_write(&self, source: Source, fd: &impl AsRawFd) -> io::Result<()> {
        self.watch(source, fd, Interest::WRITABLE)
    }

    /// Registers a source that another process reads, to find out when its other end is closed.
    pub fn watch_end(&self, source: Source, fd: &impl AsRawFd) -> io::Result<()> {
        self.watch(source, fd, sys::END_INTEREST)
    }

    fn watch(&self, source: Source, fd: &impl AsRawFd, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let token = Token(source as usize);
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), token, interest)
    }

    /// Waits for an event, at most `timeout` (without limit when `None`), and returns whether one has come.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            result => result?,
        }
        // In the order in which the sources became ready.
        for event in &self.events {
            let index = event.token().0;
            self.ready.set(SOURCES[index]);
            self.ready.closed[index] |= event.is_read_closed() || event.is_write_closed();
        }
        Ok(!self.events.is_empty())
    }
}

/// Sets `O_NONBLOCK`.
pub fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    if !flags.contains(OFlag::O_NONBLOCK) {
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    Ok(())
}
