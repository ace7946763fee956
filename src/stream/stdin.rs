// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Input: from the owner to the pipe that is the program's stdin.

use nix::errno::Errno;
use nix::unistd::write;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

/// The write end of the program's stdin, and what does not fit into it yet.
#[derive(Debug)]
pub(crate) struct Input {
    fd: Option<OwnedFd>,
    waiting: VecDeque<u8>,
    eof: bool,
    watched: bool,
}

/// What became of input, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handled {
    /// Written to the pipe. The program need not have read it.
    pub written: usize,
    /// Thrown away, because no process has the read end of the pipe open any more.
    pub dropped: usize,
}

impl Input {
    /// Takes a descriptor that does not block, or none when the program's stdin is no pipe of the session.
    pub(crate) fn new(fd: Option<OwnedFd>) -> Self {
        Self {
            fd,
            waiting: VecDeque::new(),
            eof: false,
            watched: false,
        }
    }

    /// How many bytes are not written yet.
    pub(crate) fn pending(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the end of input was announced.
    pub(crate) fn has_ended(&self) -> bool {
        self.eof
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes);
    }

    /// Closes the program's stdin as soon as everything is written.
    pub(crate) fn end(&mut self) {
        self.eof = true;
    }

    /// Closes the program's stdin, and throws away what waits and what comes later.
    pub(crate) fn close(&mut self) -> Handled {
        self.fd = None;
        self.pump()
    }

    /// Returns the descriptor the first time that it has to be watched for room.
    pub(crate) fn wants_watch(&mut self) -> Option<&OwnedFd> {
        if self.pending() == 0 || self.watched {
            return None;
        }
        self.watched = true;
        self.fd.as_ref()
    }

    /// Writes what fits into the pipe.
    pub(crate) fn pump(&mut self) -> Handled {
        let mut handled = Handled::default();
        while self.pending() > 0 {
            let Some(fd) = &self.fd else {
                handled.dropped = self.pending();
                self.waiting.clear();
                break;
            };
            match write(fd, self.waiting.as_slices().0) {
                Ok(count) => {
                    handled.written += count;
                    self.waiting.drain(..count);
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => self.fd = None,
            }
        }
        if self.pending() == 0 && self.eof {
            self.fd = None;
            self.waiting = VecDeque::new();
        }
        handled
    }
}
