// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Flow-controlled output: from the program's pipes to the owner, within the window.

use crate::reactor::{Ready, Source};
use crate::stream::read_ahead::ReadAhead;
use crate::stream::window::{Overrun, Window};
use crate::sys;
use crate::wire::message::OutputStream;
use crate::wire::outbox::Outbox;
use nix::errno::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Frames to send before looking at commands and deadlines again: a program may write for ever.
const FRAMES_IN_A_ROW: u32 = 16;

/// How long small writes gather before they are sent. Sending each write as its own frame costs more than the
/// write itself, and takes the CPU from the program.
const GATHER_TIME: Duration = Duration::from_micros(50);

/// Bytes to read that do not gather any more: programs that buffer their output write as much at once. A terminal never has
/// that many, as FIONREAD counts them.
const MUCH: u64 = 4096;

/// More than a terminal holds: 4 KiB of lines and 8 KiB behind them, of which FIONREAD counts only the former.
const TERMINAL_SIZE: u64 = 64 * 1024;

/// One captured stream.
#[derive(Debug)]
struct Stream {
    source: Source,
    kind: OutputStream,
    /// Whether `fd` is the master of a terminal, and not a pipe.
    is_terminal: bool,
    /// `None` after the end of file.
    fd: Option<OwnedFd>,
    /// Bytes read so far.
    bytes: u64,
    /// Remaining bytes to read once the pipe has been sealed.
    left: Option<u64>,
    read_ahead: ReadAhead,
}

/// All captured streams and the window that they share.
#[derive(Debug)]
pub(crate) struct Relay {
    streams: Vec<Stream>,
    window: Window,
    /// Whether the owner acknowledges by reading, so that ACK means nothing.
    acked_by_reading: bool,
    discard: bool,
    /// When the buffers were last emptied.
    emptied: Option<Instant>,
}

/// When to stop reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadUntil {
    /// After a short read the pipe may be empty for now. epoll(7) reports when there is more.
    ShortRead,
    /// The program is dead, so only end of file or `EAGAIN` proves that nothing is left.
    WouldBlock,
}

impl Relay {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            streams: Vec::new(),
            window,
            acked_by_reading: false,
            discard: false,
            emptied: None,
        }
    }

    /// Adds the read end of a pipe that does not block.
    pub(crate) fn add(&mut self, kind: OutputStream, fd: OwnedFd) {
        self.add_stream(kind, false, fd);
    }

    /// Adds the master of a terminal, which does not block, as stdout.
    pub(crate) fn add_terminal(&mut self, fd: OwnedFd) {
        self.add_stream(OutputStream::Stdout, true, fd);
    }

    fn add_stream(&mut self, kind: OutputStream, is_terminal: bool, fd: OwnedFd) {
        let source = match kind {
            OutputStream::Stdout => Source::Stdout,
            OutputStream::Stderr => Source::Stderr,
        };
        self.streams.push(Stream {
            source,
            kind,
            is_terminal,
            fd: Some(fd),
            bytes: 0,
            left: None,
            read_ahead: ReadAhead::default(),
        });
    }

    /// What to watch for readability.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Source, &OwnedFd)> {
        self.streams
            .iter()
            .filter_map(|stream| Some((stream.source, stream.fd.as_ref()?)))
    }

    /// Whether stdout and stderr are captured apart.
    pub(crate) fn has_several(&self) -> bool {
        self.streams.len() > 1
    }

    /// How many bytes were read from a stream, discarded ones included.
    pub(crate) fn bytes(&self, kind: OutputStream) -> u64 {
        let of_kind = self.streams.iter().filter(|stream| stream.kind == kind);
        of_kind.map(|stream| stream.bytes).sum()
    }

    /// Notes that the owner handled `bytes`.
    pub(crate) fn acked(&mut self, bytes: u32) -> Result<(), Overrun> {
        if self.acked_by_reading {
            return Ok(());
        }
        self.window.acked(bytes)
    }

    /// From now on, the owner acknowledges output by reading it.
    pub(crate) fn ack_by_reading(&mut self) {
        self.acked_by_reading = true;
    }

    pub(crate) fn is_acked_by_reading(&self) -> bool {
        self.acked_by_reading
    }

    /// Notes what the owner has read, if it acknowledges by reading. Returns whether that acknowledges any output.
    pub(crate) fn note_reading(&mut self, outbox: &Outbox) -> bool {
        if !self.acked_by_reading || !self.window.is_in_flight() {
            return false;
        }
        let unread = outbox.unread().unwrap_or(usize::MAX);
        self.window
            .unacked_at_most(u32::try_from(unread).unwrap_or(u32::MAX))
    }

    /// Notes that the owner handled at most `bytes`: it may count more than were sent.
    pub(crate) fn acked_at_most(&mut self, bytes: u32) {
        self.window.acked_at_most(bytes);
    }

    /// Notes whether the owner handles output in less time than it takes to sleep and to be woken.
    pub(crate) fn owner_is_quick(&mut self, is_quick: bool) {
        self.window.owner_is_quick(is_quick);
    }

    /// Whether an acknowledgement is outstanding.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.window.is_in_flight()
    }

    /// Throws away all further output.
    pub(crate) fn discard(&mut self) {
        self.discard = true;
    }

    /// Whether `pump` could do something right now.
    pub(crate) fn can_progress(&self, ready: &Ready, outbox: &Outbox) -> bool {
        let mut streams = self.streams.iter();
        streams.any(|stream| self.can_move(stream, ready, outbox))
    }

    fn can_move(&self, stream: &Stream, ready: &Ready, outbox: &Outbox) -> bool {
        stream.wants_more(&self.window, self.discard) && stream.is_readable(ready)
            || outbox.is_empty() && self.window.grant(stream.read_ahead.waiting().len()) > 0
    }

    /// Whether output is held back until the owner acknowledges some.
    pub(crate) fn awaits_ack(&self, ready: &Ready) -> bool {
        self.window.is_in_flight()
            && !self.discard
            && self
                .streams
                .iter()
                .any(|stream| !stream.read_ahead.waiting().is_empty() || stream.is_readable(ready))
    }

    /// How long to let output gather: not at all, unless a little comes shortly after the buffers were emptied.
    pub(crate) fn gather_time(&self, ready: &Ready) -> Option<Duration> {
        let gathers = |stream: &Stream| {
            stream.is_readable(ready) && !ready.is_closed(stream.source) && self.window.wants(0)
        };
        if self.discard || !self.streams.iter().any(gathers) {
            return None;
        }
        let time = GATHER_TIME
            .checked_sub(self.emptied?.elapsed())
            .filter(|time| !time.is_zero())?;
        let has_much = |stream: &Stream| gathers(stream) && stream.has_much();
        (!self.streams.iter().any(has_much)).then_some(time)
    }

    /// Notes that the program was given input. What it writes next may be the answer that the owner waits for, and so
    /// does not gather.
    pub(crate) fn input_written(&mut self) {
        self.emptied = None;
    }

    /// Releases spare buffers before going idle.
    pub(crate) fn release_buffers(&mut self) {
        if !self.window.is_in_flight() {
            for stream in &mut self.streams {
                stream.read_ahead.shrink();
            }
        }
    }

    /// Whether nothing is left of the pipes that were sealed.
    pub(crate) fn is_drained(&self, ready: &Ready) -> bool {
        self.streams
            .iter()
            .all(|stream| stream.read_ahead.waiting().is_empty() && !stream.is_readable(ready))
    }

    /// Limits what is read to the bytes that are in the pipes now, or to what can be in a terminal. A survivor may go
    /// on writing for ever.
    pub(crate) fn seal(&mut self, ready: &mut Ready) -> io::Result<()> {
        for stream in &mut self.streams {
            if let Some(fd) = &stream.fd {
                stream.left = Some(if stream.is_terminal {
                    TERMINAL_SIZE
                } else {
                    sys::bytes_waiting(fd)?
                });
                ready.set(stream.source);
            }
        }
        Ok(())
    }

    /// Reads and sends what can be read and sent now: a frame of each stream in turn, beginning with the stream whose
    /// output came first. Returns whether something was sent.
    pub(crate) fn pump(
        &mut self,
        ready: &mut Ready,
        outbox: &mut Outbox,
        until: ReadUntil,
    ) -> io::Result<bool> {
        let mut has_sent = false;
        if self.discard {
            for stream in &mut self.streams {
                stream.read_ahead.clear();
            }
        }
        for _ in 0..FRAMES_IN_A_ROW {
            let streams = self.streams.iter().enumerate();
            let next = streams
                .filter(|(_, stream)| self.can_move(stream, ready, outbox))
                .min_by_key(|(_, stream)| ready.place(stream.source));
            let Some((index, _)) = next else { break };
            has_sent |= self.move_frame(index, ready, outbox, until)?;
        }
        Ok(has_sent)
    }

    fn move_frame(
        &mut self,
        index: usize,
        ready: &mut Ready,
        outbox: &mut Outbox,
        until: ReadUntil,
    ) -> io::Result<bool> {
        let stream = &mut self.streams[index];
        if stream.is_readable(ready) && stream.wants_more(&self.window, self.discard) {
            stream.fill(ready, until)?;
        }
        if self.discard {
            stream.read_ahead.clear();
            ready.requeue(stream.source);
        }
        let bytes = self.window.grant(stream.read_ahead.waiting().len());
        let sends = bytes > 0 && outbox.is_empty();
        if sends {
            let count = bytes as usize;
            outbox.send_output(stream.kind, &stream.read_ahead.waiting()[..count]);
            stream.read_ahead.take(count);
            self.window.sent(bytes);
            ready.requeue(stream.source);
            if stream.read_ahead.waiting().is_empty() && !stream.is_readable(ready) {
                self.emptied = Some(Instant::now());
            }
        }
        Ok(sends)
    }
}

impl Stream {
    fn is_readable(&self, ready: &Ready) -> bool {
        self.fd.is_some() && self.left != Some(0) && ready.is(self.source)
    }

    /// Whether there is no point in waiting for more before a read.
    fn has_much(&self) -> bool {
        let waiting = self.fd.as_ref().and_then(|fd| sys::bytes_waiting(fd).ok());
        waiting.is_some_and(|bytes| bytes >= MUCH)
    }

    /// Whether to read. As long as nothing is, the program of a slow owner blocks in write(2).
    fn wants_more(&self, window: &Window, discard: bool) -> bool {
        discard || window.reads(self.read_ahead.waiting().len())
    }

    /// Reads once.
    fn fill(&mut self, ready: &mut Ready, until: ReadUntil) -> io::Result<()> {
        let Some(fd) = &self.fd else { return Ok(()) };
        let left = self.left.and_then(|left| usize::try_from(left).ok());
        let limit = left.unwrap_or(usize::MAX);
        match self.read_ahead.fill(fd, limit) {
            Ok(0) => self.fd = None,
            Ok(count) => {
                self.bytes += count as u64;
                self.left = self.left.map(|left| left.saturating_sub(count as u64));
                let is_short = !self.read_ahead.was_full() && until == ReadUntil::ShortRead;
                // With O_DIRECT, a read takes one write and no more: pipe(2).
                if is_short && sys::bytes_waiting(fd)? == 0 {
                    ready.clear(self.source);
                }
            }
            Err(Errno::EAGAIN) => ready.clear(self.source),
            Err(Errno::EINTR) => {}
            // vhangup(2), for example, ends the output.
            Err(Errno::EIO) if self.is_terminal => self.fd = None,
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::transport::Transport;
    use std::fs::File;
    use std::io::Write;

    #[test]
    fn output_gathers_unless_it_may_be_the_answer_to_input() {
        let (reader, writer) = sys::pipe().unwrap();
        let mut writer = File::from(writer);
        let mut outbox = Outbox::open(Transport::Plain).unwrap();
        let mut ready = Ready::default();
        let mut relay = Relay::new(Window::new(100));
        relay.add(OutputStream::Stdout, reader);

        writer.write_all(b"a").unwrap();
        ready.set(Source::Stdout);
        assert_eq!(relay.gather_time(&ready), None);
        relay
            .pump(&mut ready, &mut outbox, ReadUntil::ShortRead)
            .unwrap();

        // However long this test takes.
        relay.emptied = relay.emptied.map(|time| time + Duration::from_secs(3600));
        ready.set(Source::Stdout);
        assert_eq!(relay.gather_time(&ready), Some(GATHER_TIME));
        relay.input_written();
        assert_eq!(relay.gather_time(&ready), None);
    }

    #[test]
    fn much_output_does_not_gather() {
        let (reader, writer) = sys::pipe().unwrap();
        let mut writer = File::from(writer);
        let mut ready = Ready::default();
        let mut relay = Relay::new(Window::new(100));
        relay.add(OutputStream::Stdout, reader);
        relay.emptied = Some(Instant::now() + Duration::from_secs(3600));
        ready.set(Source::Stdout);
        for byte in 1..=MUCH {
            assert_eq!(
                relay.gather_time(&ready),
                Some(GATHER_TIME),
                "before {byte}"
            );
            writer.write_all(b"a").unwrap();
        }
        assert_eq!(relay.gather_time(&ready), None);
    }
}
