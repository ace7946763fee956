// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frames, or raw bytes, from the owner, and the end of its stream.

use super::frame::{Decoder, MAX_FRAME};
use super::message::STOP;
use super::outbox::Outbox;
use super::transport::Transport;
use crate::error::{Failure, Step};
use crate::reactor;
use crate::sys;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{isatty, read};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Acknowledgements have 9 bytes, and every idle session keeps this buffer.
const BUFFER: usize = 4 * 1024;

/// The buffer of a fork server while it gets nothing but short commands.
const SMALL_BUFFER: usize = 256;

/// The buffer of a session that gets more than that at once: input for its program.
const LARGE_BUFFER: usize = 64 * 1024;

/// The descriptor that the owner writes to.
#[derive(Debug)]
pub(crate) struct Inbox {
    fd: BorrowedFd<'static>,
    kind: SFlag,
    framed: bool,
    eof: bool,
    has_spun: bool,
    buffer: Vec<u8>,
    /// Frames that came, if the owner sends frames.
    pub decoder: Decoder,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<'a> {
    /// Bytes that are not in frames.
    Bytes(&'a [u8]),
    /// Bytes that went into the decoder. `drained`: nothing is left for now, which a short read from a socket proves:
    /// epoll(7). It does not prove that of a pipe, which may have packets (`O_DIRECT`).
    Framed { drained: bool },
    /// Nothing more for now.
    Nothing,
    /// The owner closed its end.
    Closed,
}

impl Inbox {
    /// Checks and prepares the descriptor.
    ///
    /// It has to be a pipe, a socket or a terminal: only those can be waited on, and only with those does the end
    /// of file mean that the owner is gone. `/dev/null` is at its end from the start.
    pub(crate) fn open(transport: Transport) -> Result<Self, Failure> {
        let (number, framed) = match transport {
            Transport::Plain | Transport::Terminal | Transport::Raw => (libc::STDIN_FILENO, false),
            Transport::Framed { input, .. } => (input, true),
        };
        let (fd, kind) = usable(number)?;
        // Without frames this may be a terminal, which is shared with processes that expect it to block. So it
        // is polled before each read instead.
        if framed {
            reactor::set_nonblocking(&fd).map_err(|error| unusable(number).caused_by(&error))?;
        }
        Ok(Self {
            fd,
            kind,
            framed,
            eof: false,
            has_spun: false,
            buffer: vec![0; BUFFER],
            decoder: Decoder::default(),
        })
    }

    /// Gives back memory that a longer frame needed, while none waits.
    pub(crate) fn release_buffers(&mut self) {
        if self.buffer.len() != SMALL_BUFFER && self.decoder.pending() == 0 {
            self.buffer = vec![0; SMALL_BUFFER];
            self.decoder.release();
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'static> {
        self.fd
    }

    /// Whether it is a socket, of which one end closes for both directions.
    pub(crate) fn is_socket(&self) -> bool {
        self.kind == SFlag::S_IFSOCK
    }

    /// Whether the owner is disconnected.
    pub(crate) fn is_closed(&self) -> bool {
        self.eof
    }

    /// Marks the owner as disconnected.
    pub(crate) fn close(&mut self) {
        self.eof = true;
    }

    /// Whether to spin for the next acknowledgement, which is done once after each that came, and after each command.
    pub(crate) fn begin_spinning(&mut self) -> bool {
        !self.eof && !std::mem::replace(&mut self.has_spun, true)
    }

    /// Notes an acknowledgement that was no frame.
    pub(crate) fn acknowledged(&mut self) {
        self.has_spun = false;
    }

    /// Reads once.
    pub(crate) fn receive(&mut self) -> io::Result<Received<'_>> {
        if self.eof || (!self.framed && !has_input(self.fd)?) {
            return Ok(Received::Nothing);
        }
        let result = loop {
            match read(self.fd, &mut self.buffer) {
                Err(Errno::EINTR) => {}
                result => break result,
            }
        };
        match result {
            // A terminal that hung up gives EIO, a socket that was reset ECONNRESET.
            Ok(0) | Err(Errno::EIO | Errno::ECONNRESET) => {
                self.eof = true;
                Ok(Received::Closed)
            }
            Ok(count) if self.framed => {
                self.has_spun = false;
                self.decoder.push(&self.buffer[..count]);
                let is_full = count == self.buffer.len();
                if is_full {
                    let larger = if count < BUFFER { BUFFER } else { LARGE_BUFFER };
                    self.buffer.resize(larger, 0);
                }
                let drained = self.kind == SFlag::S_IFSOCK && !is_full;
                Ok(Received::Framed { drained })
            }
            Ok(count) => Ok(Received::Bytes(&self.buffer[..count])),
            Err(Errno::EAGAIN) => Ok(Received::Nothing),
            Err(errno) => Err(errno.into()),
        }
    }

    /// What to poll for before there is a program: frames, as long as there is room for them. (poll(2) reports
    /// the end in any case.) Raw bytes are left for the program.
    pub(crate) fn interest(&self) -> PollFlags {
        if self.framed && self.decoder.pending() <= MAX_FRAME {
            PollFlags::POLLIN
        } else {
            PollFlags::empty()
        }
    }

    /// Reads what has come, and returns whether the owner is gone or has sent STOP. The frames stay in the
    /// decoder.
    pub(crate) fn asks_to_stop(&mut self) -> io::Result<bool> {
        while self.interest() == PollFlags::POLLIN
            && matches!(self.receive()?, Received::Framed { .. })
        {}
        Ok(self.eof || self.decoder.has_empty(STOP))
    }

    /// Waits until something can be read from the owner or from `other`, or until more of what is in `outbox` can
    /// be written. `false` when the owner is gone, and on errors.
    pub(crate) fn wait(&mut self, outbox: &mut Outbox, other: Option<BorrowedFd<'_>>) -> bool {
        outbox.flush();
        if self.eof || outbox.is_closed() {
            return false;
        }
        let room = if outbox.is_empty() {
            // Without events, for POLLERR alone: the owner may stop reading.
            PollFlags::empty()
        } else {
            PollFlags::POLLOUT
        };
        let has_output = outbox.fd().is_some();
        let output = outbox.fd().map(|fd| PollFd::new(fd, room));
        let inputs = [Some(self.fd), other].into_iter().flatten();
        let inputs = inputs.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let mut fds: Vec<_> = output.into_iter().chain(inputs).collect();
        let waited = poll(&mut fds, PollTimeout::NONE);
        let failed = |fd: &PollFd<'_>| {
            let events = fd.revents();
            events.is_some_and(|events| events.contains(PollFlags::POLLERR))
        };
        if has_output && fds.first().is_some_and(failed) {
            outbox.close();
        }
        waited.is_ok() || waited == Err(Errno::EINTR)
    }
}

impl AsRawFd for Inbox {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn has_input(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::ZERO) {
        Ok(count) => Ok(count > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn unusable(fd: RawFd) -> Failure {
    let name = if fd == libc::STDIN_FILENO {
        "stdin".to_owned()
    } else {
        format!("descriptor {fd}")
    };
    let message = format!("{name} is not a pipe, socket or terminal");
    Failure::new(Step::Stdio, message)
    .path(name)
    .advice("muontrap runs the program until its stdin is closed, so it needs one that can be closed, such as a pipe")
}

fn usable(number: RawFd) -> Result<(BorrowedFd<'static>, SFlag), Failure> {
    let failed = |error: &io::Error| unusable(number).caused_by(error);
    let fd = sys::borrow_fd(number).map_err(|error| failed(&error))?;
    let mode = fstat(fd).map_err(|errno| failed(&errno.into()))?.st_mode;
    let kind = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    let terminal = kind == SFlag::S_IFCHR && isatty(fd).unwrap_or(false);
    if terminal || kind == SFlag::S_IFIFO || kind == SFlag::S_IFSOCK {
        Ok((fd, kind))
    } else {
        Err(unusable(number))
    }
}
