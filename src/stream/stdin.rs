// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Input: from the owner to the pipe or the terminal that is the program's stdin.

use nix::errno::Errno;
use nix::sys::termios::{LocalFlags, SpecialCharacterIndices, tcgetattr};
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
    /// Whether `fd` is the master of a terminal, whose input ends by a character.
    is_terminal: bool,
    /// The last byte of the owner.
    last: u8,
    /// How many bytes at the end of `waiting` are not the owner's.
    added: usize,
}

/// What became of input, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handled {
    /// Written to the pipe or the terminal. The program need not have read it.
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
            is_terminal: false,
            last: b'\n',
            added: 0,
        }
    }

    /// Takes the master of a terminal, which does not block.
    pub(crate) fn terminal(fd: OwnedFd) -> Self {
        Self {
            is_terminal: true,
            ..Self::new(Some(fd))
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
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// Closes the program's stdin as soon as everything is written.
    pub(crate) fn end(&mut self) {
        if self.is_terminal && !self.eof {
            let marks = self.end_of_terminal();
            self.added = marks.len();
            self.waiting.extend(marks);
        }
        self.eof = true;
    }

    /// What ends the input of a terminal: VEOF at the beginning of a line. Within a line, one more has to come first,
    /// which only has the program read the line so far: termios(3).
    fn end_of_terminal(&self) -> Vec<u8> {
        let Some(modes) = self.fd.as_ref().and_then(|fd| tcgetattr(fd).ok()) else {
            return Vec::new();
        };
        let mark = modes.control_chars[SpecialCharacterIndices::VEOF as usize];
        let is_in_line = ![b'\n', b'\r', mark].contains(&self.last);
        let by_line = modes.local_flags.contains(LocalFlags::ICANON);
        vec![mark; if is_in_line && by_line { 2 } else { 1 }]
    }

    /// How many bytes of the owner are not written yet.
    fn owed(&self) -> usize {
        self.pending().saturating_sub(self.added)
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

    /// Writes what fits into the pipe or the terminal.
    pub(crate) fn pump(&mut self) -> Handled {
        let (owed, mut dropped) = (self.owed(), 0);
        while self.pending() > 0 {
            let Some(fd) = &self.fd else {
                dropped = self.owed();
                self.waiting.clear();
                break;
            };
            match write(fd, self.waiting.as_slices().0) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => self.fd = None,
            }
        }
        let written = owed - self.owed() - dropped;
        if self.pending() == 0 && self.eof {
            self.fd = None;
            self.waiting = VecDeque::new();
        }
        Handled { written, dropped }
    }
}
