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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// All is kept until `uncork`.
    Corked,
    /// Nobody reads any more.
    Closed,
}

/// Writes what fits into the pipe or socket at once, and keeps the rest.
#[derive(Debug)]
pub(crate) struct Outbox {
    fd: Option<BorrowedFd<'static>>,
    framed: bool,
    rest: Vec<u8>,
    written: usize,
    state: State,
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
            state: if fd.is_some() {
                State::Open
            } else {
                State::Closed
            },
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

    /// Returns the descriptor the first time that it has to be watched.
    pub(crate) fn begin_watch(&mut self) -> Option<BorrowedFd<'static>> {
        let is_new = !std::mem::replace(&mut self.watched, true);
        self.fd.filter(|_| is_new)
    }

    /// Whether everything was written, or can never be, or is kept by choice.
    pub(crate) fn is_empty(&self) -> bool {
        self.state != State::Open || self.written == self.rest.len()
    }

    /// Whether the owner can be seen to read.
    pub(crate) fn sees_reading(&self) -> bool {
        self.fd
            .is_some_and(|fd| sys::is_unix_socket(&fd) && sys::memory_of_unread(&fd).is_some())
    }

    /// At least as many bytes as the owner has not read yet of what was sent; 0 once it has read all.
    pub(crate) fn unread(&self) -> Option<usize> {
        let in_socket = sys::memory_of_unread(&self.fd?)?;
        Some(in_socket + self.rest.len() - self.written)
    }

    /// Whether the owner no longer reads.
    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Stops writing.
    pub(crate) fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Keeps what is sent from now on until `uncork`, so that it becomes one write, which wakes the owner once.
    pub(crate) fn cork(&mut self) {
        if self.state == State::Open {
            self.state = State::Corked;
        }
    }

    pub(crate) fn is_corked(&self) -> bool {
        self.state == State::Corked
    }

    /// Writes what was kept since `cork`.
    pub(crate) fn uncork(&mut self) {
        if self.is_corked() {
            self.state = State::Open;
            self.flush();
        }
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
        if self.is_empty() && !self.is_corked() {
            self.rest.clear();
            self.written = 0;
            done = self.write(header, payload);
        }
        if !self.is_closed() {
            let header_done = done.min(header.len());
            self.rest.extend_from_slice(&header[header_done..]);
            self.rest.extend_from_slice(&payload[done - header_done..]);
        }
    }

    /// Writes more of what was kept.
    pub(crate) fn flush(&mut self) {
        if self.is_corked() {
            return;
        }
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
        while !self.is_closed() && done < total {
            let header_done = done.min(header.len());
            let parts = [
                IoSlice::new(&header[header_done..]),
                IoSlice::new(&payload[done - header_done..]),
            ];
            match writev(fd, &parts) {
                Ok(count) => done += count,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => self.close(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_is_sent_while_it_is_corked_is_written_in_order_afterwards() {
        let (mut owner, stream) = UnixStream::pair().unwrap();
        owner.set_nonblocking(true).unwrap();
        let (input, output) = (stream.as_raw_fd(), stream.as_raw_fd());
        let mut outbox = Outbox::open(Transport::Framed { input, output }).unwrap();
        outbox.cork();
        outbox.send(b"started");
        outbox.send_output(OutputStream::Stdout, b"hi");
        outbox.flush();
        let mut bytes = [0; 100];
        let kind = owner.read(&mut bytes).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::WouldBlock);
        assert!(outbox.is_empty());

        outbox.uncork();
        let header = message::output_header(OutputStream::Stdout, 2);
        let written = [b"started", &header[..], b"hi"].concat();
        assert_eq!(owner.read(&mut bytes).unwrap(), written.len());
        assert_eq!(bytes[..written.len()], written);
        outbox.send(b"more");
        assert_eq!(owner.read(&mut bytes).unwrap(), 4);
    }
}
