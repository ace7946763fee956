// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The output valve: from the program's pipes to the owner, as far as the window allows.

use crate::reactor::{Ready, Source};
use crate::stream::read_ahead::Ahead;
use crate::stream::window::{Overrun, Window};
use crate::sys;
use crate::wire::frame::OutputStream;
use crate::wire::outbox::Outbox;
use nix::errno::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Frames to send before looking at commands and deadlines again: a program may write for ever.
const FRAMES_IN_A_ROW: u32 = 16;

/// A program that writes many small pieces gets this much time to write some more of them, before
/// they are sent. To send each would cost more than to write it, and takes the CPU from the program.
const GATHER_TIME: Duration = Duration::from_micros(50);

/// One captured stream.
#[derive(Debug)]
struct Stream {
    source: Source,
    kind: OutputStream,
    /// Until its end.
    fd: Option<OwnedFd>,
    /// Read from it so far.
    bytes: u64,
    /// Bytes in the pipe that are still wanted, once it is known where the program's own end.
    left: Option<u64>,
    ahead: Ahead,
}

/// All captured streams and the window that they share.
#[derive(Debug)]
pub struct Relay {
    streams: Vec<Stream>,
    window: Window,
    discard: bool,
    /// When a frame took all that had come.
    emptied: Option<Instant>,
}

/// How thoroughly to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// A short read means that the pipe may be empty for now; epoll(7) tells when there is more.
    UntilShort,
    /// Nobody writes any more, so only end of file or `EAGAIN` proves that nothing is left.
    UntilEmpty,
}

impl Relay {
    /// Nothing captured yet.
    pub fn new(window: Window) -> Self {
        Self {
            streams: Vec::new(),
            window,
            discard: false,
            emptied: None,
        }
    }

    /// Adds the read end of a pipe that does not block.
    pub fn add(&mut self, kind: OutputStream, fd: OwnedFd) {
        let source = match kind {
            OutputStream::Stdout => Source::Stdout,
            OutputStream::Stderr => Source::Stderr,
        };
        self.streams.push(Stream {
            source,
            kind,
            fd: Some(fd),
            bytes: 0,
            left: None,
            ahead: Ahead::default(),
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

    /// The owner handled some bytes, or says so: what was not sent does not count.
    pub fn acked_at_most(&mut self, bytes: u32) {
        self.window.acked_at_most(bytes);
    }

    /// Whether an acknowledgement is to come.
    pub fn is_in_flight(&self) -> bool {
        self.window.is_in_flight()
    }

    /// Nobody wants the output any more.
    pub fn discard(&mut self) {
        self.discard = true;
    }

    /// Whether `pump` has something to do right now.
    pub fn can_progress(&self, ready: &Ready, outbox: &Outbox) -> bool {
        self.streams.iter().any(|stream| {
            stream.wants_more(&self.window, self.discard) && stream.is_readable(ready)
                || outbox.is_empty() && self.window.grant(stream.ahead.waiting().len()) > 0
        })
    }

    /// Whether output is held back until the owner acknowledges some.
    pub fn awaits_ack(&self, ready: &Ready) -> bool {
        self.window.is_in_flight()
            && !self.discard
            && self
                .streams
                .iter()
                .any(|stream| !stream.ahead.waiting().is_empty() || stream.is_readable(ready))
    }

    /// How long to let output gather, when some comes shortly after all that there was had been sent.
    /// What comes after a pause of the program's own is sent at once.
    pub fn gather_time(&self, ready: &Ready) -> Option<Duration> {
        let gathers = |stream: &Stream| {
            stream.is_readable(ready) && !ready.is_closed(stream.source) && self.window.wants(0)
        };
        if self.discard || !self.streams.iter().any(gathers) {
            return None;
        }
        GATHER_TIME
            .checked_sub(self.emptied?.elapsed())
            .filter(|time| !time.is_zero())
    }

    /// Nothing is to be done for a while.
    pub fn rest(&mut self) {
        if !self.window.is_in_flight() {
            for stream in &mut self.streams {
                stream.ahead.shrink();
            }
        }
    }

    /// Whether nothing is left in any pipe that was sealed.
    pub fn is_drained(&self, ready: &Ready) -> bool {
        self.streams
            .iter()
            .all(|stream| stream.ahead.waiting().is_empty() && !stream.is_readable(ready))
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
        let mut frames = 0;
        for stream in &mut self.streams {
            while frames < FRAMES_IN_A_ROW {
                frames += 1;
                if self.discard {
                    stream.ahead.clear();
                }
                let fills =
                    stream.is_readable(ready) && stream.wants_more(&self.window, self.discard);
                if fills {
                    stream.fill(ready, thoroughness)?;
                }
                if self.discard && fills {
                    continue;
                }
                if !outbox.is_empty() {
                    break;
                }
                let bytes = self.window.grant(stream.ahead.waiting().len());
                if bytes == 0 {
                    break;
                }
                let count = bytes as usize;
                outbox.send_output(stream.kind, &stream.ahead.waiting()[..count]);
                stream.ahead.take(count);
                self.window.sent(bytes);
                if stream.ahead.waiting().is_empty() && !stream.is_readable(ready) {
                    self.emptied = Some(Instant::now());
                }
            }
        }
        Ok(())
    }
}

impl Stream {
    fn is_readable(&self, ready: &Ready) -> bool {
        self.fd.is_some() && self.left != Some(0) && ready.is(self.source)
    }

    /// Nothing is read that could not be sent, beyond what came along with something that could: a
    /// program whose owner is slow has to wait.
    fn wants_more(&self, window: &Window, discard: bool) -> bool {
        discard || window.wants(self.ahead.waiting().len())
    }

    /// Reads once.
    fn fill(&mut self, ready: &mut Ready, thoroughness: Thoroughness) -> io::Result<()> {
        let Some(fd) = &self.fd else { return Ok(()) };
        let room = self.ahead.room();
        let left = self.left.and_then(|left| usize::try_from(left).ok());
        let limit = left.map_or(room, |left| left.min(room));
        match self.ahead.fill(fd, limit) {
            Ok(0) => self.fd = None,
            Ok(count) => {
                self.bytes += count as u64;
                self.left = self.left.map(|left| left.saturating_sub(count as u64));
                let is_short = count < limit && thoroughness == Thoroughness::UntilShort;
                // With O_DIRECT, a read takes one write and no more: pipe(2).
                if is_short && sys::bytes_waiting(fd)? == 0 {
                    ready.clear(self.source);
                }
            }
            Err(Errno::EAGAIN) => ready.clear(self.source),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}
