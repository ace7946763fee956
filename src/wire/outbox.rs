// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frames, or raw output, to the owner.

use super::message::{self, OutputStream};
use super::transport::Transport;
use crate::error::{Failure, Step};
use crate::reactor::set_nonblocking;
use crate::sys;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use nix::sys::uio::writev;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::os::unix::fs::OpenOptionsExt;

/// Writes what fits into the pipe or socket at once, and keeps the rest.
#[derive(Debug)]
pub(crate) struct Outbox {
    fd: Option<BorrowedFd<'static>>,
    framed: bool,
    rest: Vec<u8>,
    written: usize,
    closed: bool,
    watched: bool,
}

impl Outbox {
    pub(crate) fn open(transport: Transport) -> Result<Self, Failure> {
        let (number, fd) = match transport {
            Transport::Plain | Transport::Terminal => return Ok(Self::new(None, true)),
            Transport::Raw => (libc::STDOUT_FILENO, raw_stdout()),
            Transport::Framed { output, .. } => {
                let fd = sys::borrow_fd(output);
                (output, fd.and_then(|fd| set_nonblocking(&fd).map(|()| fd)))
            }
        };
        let fd = fd.map_err(|error| {
            let message = format!("cannot write to the owner on descriptor {number}");
            Failure::new(Step::Stdio, message).caused_by(&error)
        })?;
        Ok(Self::new(Some(fd), transport != Transport::Raw))
    }

    /// Without a descriptor, there is nobody to write to.
    fn new(fd: Option<BorrowedFd<'static>>, framed: bool) -> Self {
        Self {
            closed: fd.is_none(),
            fd,
            framed,
            rest: Vec::new(),
            written: 0,
            watched: false,
        }
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'static>> {
        self.fd
    }

    /// Returns the descriptor the first time that it has to be watched for room.
    pub(crate) fn wants_watch(&mut self) -> Option<BorrowedFd<'static>> {
        if self.is_empty() || self.watched {
            return None;
        }
        self.watched = true;
        self.fd
    }

    /// Whether everything was written, or can never be.
    pub(crate) fn is_empty(&self) -> bool {
        self.closed || self.written == self.rest.len()
    }

    /// Whether the owner no longer reads.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Stops writing.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Sends whole frames, if the owner reads frames.
    pub(crate) fn send(&mut self, frames: &[u8]) {
        if self.framed {
            self.send_parts(frames, &[]);
        }
    }

    /// Sends output of the program.
    pub(crate) fn send_output(&mut self, stream: OutputStream, output: &[u8]) {
        if self.framed {
            // Never more than fits into a frame: `Window::grant`.
            let length = u32::try_from(output.len()).unwrap_or(u32::MAX);
            self.send_parts(&message::output_header(stream, length), output);
        } else {
            self.send_parts(&[], output);
        }
    }

    fn send_parts(&mut self, header: &[u8], payload: &[u8]) {
        let mut done = 0;
        if self.is_empty() {
            self.rest.clear();
            self.written = 0;
            done = self.write(header, payload);
        }
        if !self.closed {
            let header_done = done.min(header.len());
            self.rest.extend_from_slice(&header[header_done..]);
            self.rest.extend_from_slice(&payload[done - header_done..]);
        }
    }

    /// Writes more of what was kept.
    pub(crate) fn flush(&mut self) {
        if !self.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.written += self.write(&rest[self.written..], &[]);
            self.rest = rest;
        }
        if self.is_empty() {
            self.rest = Vec::new();
            self.written = 0;
        }
    }

    fn write(&mut self, header: &[u8], payload: &[u8]) -> usize {
        let total = header.len() + payload.len();
        let mut done = 0;
        let Some(fd) = self.fd else { return done };
        while !self.closed && done < total {
            let header_done = done.min(header.len());
            let parts = [
                IoSlice::new(&header[header_done..]),
                IoSlice::new(&payload[done - header_done..]),
            ];
            match writev(fd, &parts) {
                Ok(count) => done += count,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => self.closed = true,
            }
        }
        done
    }
}

/// muontrap's stdout, which does not block where that is possible without changing it for others who have
/// it, too: the program may, as its stderr, and so may whoever shares a terminal.
fn raw_stdout() -> io::Result<BorrowedFd<'static>> {
    let fd = sys::borrow_fd(libc::STDOUT_FILENO)?;
    let kind = SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT;
    if kind == SFlag::S_IFIFO {
        // Opened anew, a pipe has a status of its own.
        let opened = File::options()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/proc/self/fd/1");
        if let Ok(own) = opened {
            // Never closed: it is needed until muontrap exits.
            return sys::borrow_fd(own.into_raw_fd());
        }
    }
    if kind == SFlag::S_IFIFO || kind == SFlag::S_IFSOCK {
        set_nonblocking(&fd)?;
    }
    Ok(fd)
}
