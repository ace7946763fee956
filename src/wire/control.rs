// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The owner's side of a session: where commands come from and when it went away.

use crate::error::{Failure, Step};
use crate::reactor;
use crate::session::signals::Signals;
use crate::sys;
use crate::wire::frame::{Decoder, MAX_FRAME};
use crate::wire::outbox::Outbox;
use crate::wire::transport::Transport;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{isatty, read};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Acknowledgements are 9 bytes. Every idle muontrap keeps this.
const BUFFER: usize = 4 * 1024;

/// The descriptor that commands come from.
#[derive(Debug)]
pub struct Control {
    fd: BorrowedFd<'static>,
    kind: SFlag,
    framed: bool,
    eof: bool,
    looked: bool,
    buffer: Vec<u8>,
    /// Commands that came, when the protocol is framed.
    pub decoder: Decoder,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// Bytes that are not in frames.
    Bytes(&'a [u8]),
    /// Bytes that went into the decoder.
    Framed,
    /// Nothing more for now.
    Nothing,
    /// The owner closed its end.
    Closed,
}

impl Control {
    /// Checks and prepares the descriptor.
    ///
    /// It has to be a pipe, a socket or a terminal: only those can be waited on, and only their end
    /// of file says that an owner went away. `/dev/null` would say so at once.
    pub fn new(transport: Transport) -> Result<Self, Failure> {
        let (number, framed) = match transport {
            Transport::Plain | Transport::Terminal | Transport::Raw => (libc::STDIN_FILENO, false),
            Transport::Framed { input, .. } => (input, true),
        };
        let (fd, kind) = usable(number)?;
        // Without frames this may be a terminal that other processes share, and that is blocking
        // for them: such a descriptor is asked before each read instead.
        if framed {
            reactor::set_nonblocking(&fd).map_err(|error| unusable(number).caused_by(&error))?;
        }
        Ok(Self {
            fd,
            kind,
            framed,
            eof: false,
            looked: false,
            buffer: vec![0; BUFFER],
            decoder: Decoder::default(),
        })
    }

    /// Where commands come from.
    pub fn fd(&self) -> BorrowedFd<'static> {
        self.fd
    }

    /// Whether it is a socket, of which one end closes for both directions.
    pub fn is_socket(&self) -> bool {
        self.kind == SFlag::S_IFSOCK
    }

    /// Whether the owner is gone.
    pub fn is_closed(&self) -> bool {
        self.eof
    }

    /// Takes the owner as gone.
    pub fn close(&mut self) {
        self.eof = true;
    }

    /// Whether to look for commands some times in a row: once until the next ones have come.
    pub fn begin_looking(&mut self) -> bool {
        !self.eof && !std::mem::replace(&mut self.looked, true)
    }

    /// Reads once.
    pub fn receive(&mut self) -> io::Result<Received<'_>> {
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
                self.looked = false;
                self.decoder.push(&self.buffer[..count]);
                Ok(Received::Framed)
            }
            Ok(count) => Ok(Received::Bytes(&self.buffer[..count])),
            Err(Errno::EAGAIN) => Ok(Received::Nothing),
            Err(errno) => Err(errno.into()),
        }
    }

    /// What to wait for before there is a program: commands, as long as there is room for them, and the
    /// end in any case. What is not framed waits for the program.
    pub fn interest(&self) -> PollFlags {
        if self.framed && self.decoder.pending() <= MAX_FRAME {
            PollFlags::POLLIN
        } else {
            PollFlags::empty()
        }
    }

    /// Reads what there is, and tells whether the owner is gone or wants the program stopped. The commands
    /// stay in the decoder.
    pub fn asks_to_stop(&mut self) -> io::Result<bool> {
        while self.interest() == PollFlags::POLLIN && self.receive()? == Received::Framed {}
        Ok(self.eof || self.decoder.asks_to_stop())
    }

    /// Waits until the owner closes its end, or a signal says to stop, when nothing else is left to do but
    /// to get the last frame through to it.
    pub fn wait_for_close(&mut self, outbox: &mut Outbox, signals: &Signals) {
        while self.wait(outbox, Some(signals)) && self.receive().is_ok() {
            self.decoder = Decoder::default();
        }
    }

    /// Writes what waits in the outbox, and waits until there is something to read, or room to write
    /// more. `false` when the owner is gone, when a signal says to stop, and on errors.
    pub fn wait(&mut self, outbox: &mut Outbox, signals: Option<&Signals>) -> bool {
        outbox.flush();
        let is_stopped = signals.is_some_and(Signals::take_stop);
        if self.eof || outbox.is_closed() || is_stopped {
            return false;
        }
        // Without room to wait for, it may still lose its reader.
        let mut fds: Vec<_> = outbox
            .fd()
            .into_iter()
            .map(|fd| {
                let room = if outbox.is_empty() {
                    PollFlags::empty()
                } else {
                    PollFlags::POLLOUT
                };
                PollFd::new(fd, room)
            })
            .collect();
        let written = fds.len();
        fds.push(PollFd::new(self.fd, PollFlags::POLLIN));
        fds.extend(signals.map(|signals| PollFd::new(signals.as_fd(), PollFlags::POLLIN)));
        let waited = poll(&mut fds, PollTimeout::NONE);
        let error = |fd: &PollFd<'_>| {
            let events = fd.revents();
            events.is_some_and(|events| events.contains(PollFlags::POLLERR))
        };
        if fds[..written].iter().any(error) {
            outbox.close();
        }
        if let Some(signals) = signals {
            signals.drain();
        }
        waited.is_ok() || waited == Err(Errno::EINTR)
    }
}

impl AsRawFd for Control {
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
    Failure::new(
        Step::Stdio,
        format!("{name} is not a pipe, socket or terminal"),
    )
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
