// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frames, or raw output, on the way to the owner.

use crate::wire::frame::{self, OutputStream};
use nix::errno::Errno;
use nix::sys::uio::writev;
use std::io::IoSlice;
use std::os::fd::BorrowedFd;

/// Writes at once what fits into the pipe and keeps the rest.
#[derive(Debug)]
pub struct Outbox {
    fd: Option<BorrowedFd<'static>>,
    frames: bool,
    rest: Vec<u8>,
    written: usize,
    closed: bool,
    watched: bool,
}

impl Outbox {
    /// For an owner that reads frames, on a descriptor that does not block.
    pub fn framed(fd: BorrowedFd<'static>) -> Self {
        Self::new(fd, true)
    }

    /// For an owner that reads output and nothing else.
    pub fn raw(fd: BorrowedFd<'static>) -> Self {
        Self::new(fd, false)
    }

    fn new(fd: BorrowedFd<'static>, frames: bool) -> Self {
        Self {
            fd: Some(fd),
            frames,
            rest: Vec::new(),
            written: 0,
            closed: false,
            watched: false,
        }
    }

    /// Where no owner reads frames.
    pub fn nowhere() -> Self {
        Self {
            fd: None,
            frames: true,
            rest: Vec::new(),
            written: 0,
            closed: true,
            watched: false,
        }
    }

    /// The descriptor that frames go to.
    pub fn fd(&self) -> Option<BorrowedFd<'static>> {
        self.fd
    }

    /// The descriptor, the first time that it has to be watched for room.
    pub fn wants_watch(&mut self) -> Option<BorrowedFd<'static>> {
        if self.is_empty() || self.watched {
            return None;
        }
        self.watched = true;
        self.fd
    }

    /// Whether everything was written, or can never be.
    pub fn is_empty(&self) -> bool {
        self.closed || self.written == self.rest.len()
    }

    /// Whether the owner closed its end, or is to be taken as gone.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes nothing any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Sends one whole frame, to an owner that reads frames.
    pub fn send(&mut self, frame: &[u8]) {
        if self.frames {
            self.send_parts(frame, &[]);
        }
    }

    /// Sends output of the program.
    pub fn send_output(&mut self, kind: OutputStream, output: &[u8]) {
        if self.frames {
            // Never more than fits into a frame: `Window::grant`.
            let length = u32::try_from(output.len()).unwrap_or(u32::MAX);
            self.send_parts(&frame::data_header(kind, length), output);
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
    pub fn flush(&mut self) {
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
