// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting for readiness: a thin layer over mio that turns its edges into flags.
//!
//! mio reports a change once. What was reported stays in [`Ready`] until a read or write says
//! `WouldBlock`, so that a source left alone for want of credit is not forgotten.

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// What can become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The owner's commands.
    ControlIn,
    /// Frames to the owner.
    ControlOut,
    /// The program's stdin.
    Stdin,
    /// The program's stdout.
    Stdout,
    /// The program's stderr.
    Stderr,
    /// A signal came.
    Signal,
}

const SOURCES: [Source; 6] = [
    Source::ControlIn,
    Source::ControlOut,
    Source::Stdin,
    Source::Stdout,
    Source::Stderr,
    Source::Signal,
];

/// A set of ready sources, and of those whose other end is closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    ready: [bool; SOURCES.len()],
    closed: [bool; SOURCES.len()],
}

impl Ready {
    /// Whether `source` may be read or written now.
    pub fn is(&self, source: Source) -> bool {
        self.ready[source as usize]
    }

    /// Whether the other end of a readable source is closed, although bytes may be left in it.
    pub fn is_closed(&self, source: Source) -> bool {
        self.closed[source as usize]
    }

    /// Marks `source` as worth a try.
    pub fn set(&mut self, source: Source) {
        self.ready[source as usize] = true;
    }

    /// Marks `source` as blocked until the next edge.
    pub fn clear(&mut self, source: Source) {
        self.ready[source as usize] = false;
    }
}

/// The poll and what it said so far.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    /// What is ready.
    pub ready: Ready,
}

impl Reactor {
    /// An empty one.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(16),
            ready: Ready::default(),
        })
    }

    /// Watches a source to read from.
    pub fn watch_read(&self, source: Source, fd: &impl AsRawFd) -> io::Result<()> {
        self.watch(source, fd, Interest::READABLE)
    }

    /// Watches a source to write to.
    pub fn watch_write(&self, source: Source, fd: &impl AsRawFd) -> io::Result<()> {
        self.watch(source, fd, Interest::WRITABLE)
    }

    /// Watches whether the other end of a source is closed, which somebody else reads.
    pub fn watch_end(&self, source: Source, fd: &impl AsRawFd) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return self.watch(source, fd, Interest::PRIORITY);
        #[cfg(not(target_os = "linux"))]
        return self.watch(source, fd, Interest::READABLE);
    }

    fn watch(&self, source: Source, fd: &impl AsRawFd, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let token = Token(source as usize);
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), token, interest)
    }

    /// Waits for an edge, at most `timeout` (for ever when `None`).
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            let index = event.token().0;
            self.ready.ready[index] = true;
            self.ready.closed[index] |= event.is_read_closed() || event.is_write_closed();
        }
        Ok(())
    }
}

/// Makes reads and writes return `WouldBlock` instead of waiting.
pub fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    if !flags.contains(OFlag::O_NONBLOCK) {
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    Ok(())
}
