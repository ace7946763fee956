// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The output valve: from the program's pipes to the owner, as far as the window allows.

use crate::outbox::Outbox;
use crate::protocol::{self, DATA_HEADER, OutputStream};
use crate::reactor::{Ready, Source};
use crate::sys;
use crate::window::{Overrun, Window};
use nix::errno::Errno;
use nix::unistd::read;
use std::io;
use std::os::fd::OwnedFd;

/// The most payload bytes in one frame. Frames of 4 to 16 KiB cross into the BEAM fastest.
const MAX_CHUNK: u32 = 16 * 1024;

/// Chunks to move before looking at commands and deadlines again: a program may write for ever.
const CHUNKS_IN_A_ROW: u32 = 16;

/// One captured stream.
#[derive(Debug)]
struct Stream {
    source: Source,
    kind: OutputStream,
    fd: Option<OwnedFd>,
    bytes: u64,
    /// Bytes that are still wanted, once it is known where the program's own end.
    left: Option<u64>,
}

/// All captured streams and the window that they share.
#[derive(Debug)]
pub struct Relay {
    streams: Vec<Stream>,
    window: Window,
    chunk_size: u32,
    discard: bool,
    buffer: Vec<u8>,
}

/// How thoroughly to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// A short read means that the pipe is empty for now; epoll(7) tells when there is more.
    UntilShort,
    /// Nobody writes any more, so only end of file or `EAGAIN` proves that nothing is left.
    UntilEmpty,
}

impl Relay {
    /// Nothing captured yet, and a window of `size` bytes.
    pub fn new(size: u32) -> Self {
        Self {
            streams: Vec::new(),
            window: Window::new(size),
            chunk_size: size.min(MAX_CHUNK),
            discard: false,
            buffer: Vec::new(),
        }
    }

    /// Adds the read end of a pipe that does not block.
    pub fn add(&mut self, kind: OutputStream, fd: OwnedFd) {
        let source = match kind {
            OutputStream::Stdout => Source::Stdout,
            OutputStream::Stderr => Source::Stderr,
        };
        self.buffer
            .resize(DATA_HEADER + self.chunk_size as usize, 0);
        self.streams.push(Stream {
            source,
            kind,
            fd: Some(fd),
            bytes: 0,
            left: None,
        });
    }

    /// What to watch.
    pub fn sources(&self) -> impl Iterator<Item = (Source, &OwnedFd)> {
        self.streams
            .iter()
            .filter_map(|stream| Some((stream.source, stream.fd.as_ref()?)))
    }

    /// Bytes that were read from a stream, thrown away ones included.
    pub fn bytes(&self, kind: OutputStream) -> u64 {
        let of_kind = self.streams.iter().filter(|stream| stream.kind == kind);
        of_kind.map(|stream| stream.bytes).sum()
    }

    /// The owner handled some bytes.
    pub fn acked(&mut self, bytes: u32) -> Result<(), Overrun> {
        self.window.acked(bytes)
    }

    /// Nobody wants the output any more.
    pub fn discard(&mut self) {
        self.discard = true;
    }

    /// Whether `pump` has something to do right now.
    pub fn can_progress(&self, ready: &Ready, outbox: &Outbox) -> bool {
        let room = self.discard || (outbox.is_empty() && self.window.credit() > 0);
        room && self.sources().any(|(source, _)| ready.is(source))
    }

    /// Whether nothing is left in any pipe that was sealed.
    pub fn is_drained(&self, ready: &Ready) -> bool {
        self.streams
            .iter()
            .all(|stream| stream.fd.is_none() || stream.left == Some(0) || !ready.is(stream.source))
    }

    /// Takes only what is in the pipes now, and nothing that comes later: a survivor may go on
    /// writing for ever, and then its bytes would never end.
    pub fn seal(&mut self, ready: &mut Ready) -> io::Result<()> {
        for stream in &mut self.streams {
            if let Some(fd) = &stream.fd {
                stream.left = Some(sys::bytes_waiting(fd)?);
                ready.set(stream.source);
            }
        }
        Ok(())
    }

    /// Moves what can be moved now.
    pub fn pump(
        &mut self,
        ready: &mut Ready,
        outbox: &mut Outbox,
        thoroughness: Thoroughness,
    ) -> io::Result<()> {
        let mut chunks = 0;
        for index in 0..self.streams.len() {
            while self.streams[index].fd.is_some() && ready.is(self.streams[index].source) {
                let limit = if self.discard {
                    self.chunk_size
                } else if outbox.is_empty() {
                    self.window.credit().min(self.chunk_size)
                } else {
                    0
                };
                if limit == 0 || chunks == CHUNKS_IN_A_ROW {
                    return Ok(());
                }
                chunks += 1;
                self.move_chunk(index, limit, ready, outbox, thoroughness)?;
            }
        }
        Ok(())
    }

    fn move_chunk(
        &mut self,
        index: usize,
        limit: u32,
        ready: &mut Ready,
        outbox: &mut Outbox,
        thoroughness: Thoroughness,
    ) -> io::Result<()> {
        let stream = &mut self.streams[index];
        let Some(fd) = &stream.fd else { return Ok(()) };
        let left = u32::try_from(stream.left.unwrap_or(u64::MAX)).unwrap_or(u32::MAX);
        if left == 0 {
            ready.clear(stream.source);
            return Ok(());
        }
        let limit = limit.min(left);
        let room = &mut self.buffer[DATA_HEADER..DATA_HEADER + limit as usize];
        let count = match read(fd, room) {
            Ok(0) => {
                stream.fd = None;
                return Ok(());
            }
            Ok(count) => count,
            Err(Errno::EAGAIN) => {
                ready.clear(stream.source);
                return Ok(());
            }
            Err(Errno::EINTR) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        stream.bytes += count as u64;
        stream.left = stream.left.map(|left| left.saturating_sub(count as u64));
        let length = u32::try_from(count).expect("no more than the limit was read");
        if length < limit && thoroughness == Thoroughness::UntilShort {
            ready.clear(stream.source);
        }
        if !self.discard {
            self.window.sent(length);
            self.buffer[..DATA_HEADER].copy_from_slice(&protocol::data_header(stream.kind, length));
            outbox.send(&self.buffer[..DATA_HEADER + count]);
        }
        Ok(())
    }
}
