// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Job control: the terminal is lent to the program's process group, and taken back.
//!
//! The program has a process group of its own, and only the foreground group of a terminal may read from
//! it and change its modes; others are stopped by SIGTTIN and SIGTTOU (termios(3)). So as long as a shell
//! has muontrap in the foreground, the program's group takes muontrap's place there. When the program is
//! stopped, muontrap stops its own group, too, which is the one that the shell knows.

use crate::sys;
use nix::sys::signal::killpg;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, isatty, tcgetpgrp, tcsetpgrp};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// What to do now that a signal has stopped the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It has the terminal now, so that it can go on.
    GoesOn,
    /// muontrap was stopped as well, and SIGCONT came.
    WasContinued,
    /// It is stopped for want of a terminal, and there is no shell that could give it one.
    Stuck,
    /// It was stopped by SIGSTOP, not by the terminal.
    Stays,
}

/// muontrap's controlling terminal.
#[derive(Debug)]
pub struct Terminal {
    tty: File,
    own: Pid,
    program: Option<Pid>,
    is_lent: bool,
    /// Whether the program ever had it.
    was_lent: bool,
    /// Its modes when it was lent.
    modes: Option<Termios>,
    /// The modes that the program had set when it was stopped.
    program_modes: Option<Termios>,
}

impl Terminal {
    /// The terminal, if muontrap has one.
    pub fn open() -> Option<Self> {
        let mut options = File::options();
        options.read(true).write(true);
        options.custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
        Some(Self {
            tty: options.open("/dev/tty").ok()?,
            own: getpgrp(),
            program: None,
            is_lent: false,
            was_lent: false,
            modes: None,
            program_modes: None,
        })
    }

    /// Lends the terminal from the start, and tells which descriptor the child has to use for that.
    ///
    /// Not in a pipeline: the other processes of a pipeline are in muontrap's process group, and may read keys
    /// themselves, as less(1) does. There, the program gets the terminal when it asks for it.
    pub fn lend_at_start(&mut self) -> Option<BorrowedFd<'_>> {
        let alone = isatty(io::stdin()).unwrap_or(false) && isatty(io::stdout()).unwrap_or(false);
        if !alone || self.holder() != Some(self.own) {
            return None;
        }
        self.modes = tcgetattr(&self.tty).ok();
        (self.is_lent, self.was_lent) = (true, true);
        Some(self.tty.as_fd())
    }

    /// The program runs, and this is its process group.
    pub fn note_start(&mut self, program: i32) {
        self.program = Some(Pid::from_raw(program));
    }

    /// Whether the program has the terminal.
    pub fn is_lent(&self) -> bool {
        self.is_lent
    }

    fn holder(&self) -> Option<Pid> {
        tcgetpgrp(&self.tty).ok()
    }

    /// Lends the terminal if muontrap has it. SIGTTOU is blocked, and so does not stop muontrap.
    pub fn lend(&mut self) -> bool {
        let Some(program) = self.program.filter(|_| self.holder() == Some(self.own)) else {
            return false;
        };
        self.modes = tcgetattr(&self.tty).ok();
        if let Some(modes) = self.program_modes.take() {
            let _ = tcsetattr(&self.tty, SetArg::TCSANOW, &modes);
        }
        self.is_lent = tcsetpgrp(&self.tty, program).is_ok();
        self.was_lent |= self.is_lent;
        self.is_lent
    }

    /// Lends it once more to a program that had it, or whose group had no need of it until it was stopped.
    pub fn lend_again(&mut self) {
        if !self.is_lent && self.was_lent {
            self.lend();
        }
    }

    /// Takes the terminal back as it was, unless a shell has given it to others meanwhile.
    pub fn take_back(&mut self) {
        let is_empty = |group| killpg(group, None) == Err(nix::errno::Errno::ESRCH);
        let mine = |holder| holder == self.own || Some(holder) == self.program || is_empty(holder);
        if !self.is_lent || !self.holder().is_some_and(mine) {
            return;
        }
        let _ = tcsetpgrp(&self.tty, self.own);
        self.program_modes = tcgetattr(&self.tty).ok();
        if let Some(modes) = &self.modes {
            // Not TCSADRAIN: output may be stopped (Ctrl-S) for any time.
            let _ = tcsetattr(&self.tty, SetArg::TCSANOW, modes);
        }
        self.is_lent = false;
    }

    /// The program was stopped by `signal`. `was_continued` tells whether SIGCONT came since it was asked
    /// the last time.
    pub fn program_stopped(&mut self, signal: i32, was_continued: impl Fn() -> bool) -> Stopped {
        let wants_terminal = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
        let has_terminal = self.is_lent && self.holder() == self.program;
        if wants_terminal && (has_terminal || self.lend()) {
            return Stopped::GoesOn;
        }
        if signal == libc::SIGSTOP && !self.is_lent {
            return Stopped::Stays;
        }
        self.take_back();
        was_continued();
        // By a signal of the terminal, not SIGSTOP: the kernel does not stop a group that no shell could continue.
        sys::stop_own_group(if wants_terminal {
            signal
        } else {
            libc::SIGTSTP
        });
        if was_continued() {
            Stopped::WasContinued
        } else if wants_terminal {
            Stopped::Stuck
        } else {
            Stopped::GoesOn
        }
    }
}
