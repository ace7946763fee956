// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The terminal of a program that has one of its own.
//!
//! The program is the leader of a session whose controlling terminal it is. The session reads and writes the master.

use crate::config::PtySettings;
use crate::error::Failure;
use crate::process::stdio::Stdio;
use crate::reactor::set_nonblocking;
use crate::stream::output::Relay;
use crate::stream::stdin::Input;
use crate::sys;
use nix::sys::stat::{Mode, fchmod};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::fchown;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// As mesg(1) has it: the group `tty`, to which devpts usually gives terminals, may write.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR).union(Mode::S_IWGRP);

#[derive(Debug)]
pub(super) struct Pty {
    master: OwnedFd,
    /// Open until the master was read to the end. Elsewhere than on Linux, the last close discards what was not read,
    /// and everywhere it makes reads fail with EIO, even before the program has opened the terminal.
    slave: OwnedFd,
}

impl Pty {
    /// Opens a terminal that belongs to the program's user.
    pub(super) fn open(settings: PtySettings, user: Option<u32>) -> Result<Self, Failure> {
        let pty = Self::open_with(settings)
            .map_err(|error| Failure::cannot("open a pseudo-terminal", &error))?;
        if let Some(user) = user {
            // Without CAP_CHOWN the program can still use the descriptors that it has.
            if fchown(&pty.slave, Some(user.into()), None).is_ok() {
                let _ = fchmod(&pty.slave, MODE);
            }
        }
        Ok(pty)
    }

    fn open_with(PtySettings { rows, cols, echo }: PtySettings) -> io::Result<Self> {
        let (master, slave) = sys::open_pty(rows, cols)?;
        set_nonblocking(&master)?;
        let mut modes = tcgetattr(&slave)?;
        sys::expect_utf8(&mut modes);
        modes.local_flags.set(LocalFlags::ECHO, echo);
        tcsetattr(&slave, SetArg::TCSANOW, &modes)?;
        Ok(Self { master, slave })
    }

    /// stdin, stdout and stderr of the program.
    pub(super) fn stdio(&self) -> Result<[Stdio; 3], Failure> {
        let slave = || duplicate(&self.slave).map(Stdio::Fd);
        Ok([slave()?, slave()?, Stdio::Stdout])
    }

    /// Has `relay` read what the program writes.
    pub(super) fn feed(&self, relay: &mut Relay) -> Result<(), Failure> {
        relay.add_terminal(duplicate(&self.master)?);
        Ok(())
    }

    pub(super) fn input(&self) -> Result<Input, Failure> {
        Ok(Input::terminal(duplicate(&self.master)?))
    }

    /// The terminal, as the child has to name it.
    pub(super) fn terminal(&self) -> BorrowedFd<'_> {
        self.slave.as_fd()
    }

    pub(super) fn resize(&self, rows: u16, cols: u16) {
        // It has no errors but those of a wrong descriptor.
        let _ = sys::resize_terminal(&self.master, rows, cols);
    }
}

fn duplicate(fd: &OwnedFd) -> Result<OwnedFd, Failure> {
    fd.try_clone()
        .map_err(|error| Failure::cannot("duplicate a descriptor of the terminal", &error))
}
