// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Job control: the terminal is lent to the program's process group, and taken back.
//!
//! The program has its own process group, and only the foreground group of a terminal may read from it and change its
//! modes; others are stopped by SIGTTIN and SIGTTOU (termios(3)). So while a shell runs muontrap in the foreground, the
//! program's group is the foreground group. When the program is stopped, muontrap stops its own group, too, which is
//! the one that the shell knows.

use crate::sys;
use nix::sys::signal::killpg;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, isatty, tcgetpgrp, tcsetpgrp};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// What to do after a signal has stopped the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterStop {
    /// Continue the program: it has the terminal now, or muontrap was stopped, too, and continued by a shell.
    Continue,
    /// Stop it for good: it needs the terminal, and no shell can give it one.
    Terminate,
    /// Leave it stopped: SIGSTOP did not come from the terminal.
    Wait,
}

/// muontrap's controlling terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    tty: File,
    own: Pid,
    program: Option<Pid>,
    is_lent: bool,
    /// Whether the program has ever had it.
    was_lent: bool,
    /// Its modes when it was lent.
    modes: Option<Termios>,
    /// The modes that the program had set when it was stopped.
    program_modes: Option<Termios>,
}

impl Terminal {
    /// Opens the controlling terminal, if there is one.
    pub(super) fn open() -> Option<Self> {
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

    /// Lends the terminal from the start. Returns the descriptor by which the child takes it.
    ///
    /// Not in a pipeline: its other processes are in muontrap's process group, and may read keys themselves, as less(1)
    /// does. There, the program gets the terminal when it asks for it.
    pub(super) fn lend_at_start(&mut self) -> Option<BorrowedFd<'_>> {
        let alone = isatty(io::stdin()).unwrap_or(false) && isatty(io::stdout()).unwrap_or(false);
        if !alone || self.holder() != Some(self.own) {
            return None;
        }
        self.modes = tcgetattr(&self.tty).ok();
        (self.is_lent, self.was_lent) = (true, true);
        Some(self.tty.as_fd())
    }

    /// Sets the process group of the program, which was started.
    pub(super) fn set_program(&mut self, program: i32) {
        self.program = Some(Pid::from_raw(program));
    }

    /// Whether the program has the terminal.
    pub(super) fn is_lent(&self) -> bool {
        self.is_lent
    }

    fn holder(&self) -> Option<Pid> {
        tcgetpgrp(&self.tty).ok()
    }

    /// Lends the terminal if muontrap has it. SIGTTOU is blocked, and so does not stop muontrap.
    pub(super) fn lend(&mut self) -> bool {
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

    /// Lends it again, to a program that had it before it was stopped.
    pub(super) fn lend_again(&mut self) {
        if !self.is_lent && self.was_lent {
            self.lend();
        }
    }

    /// Takes the terminal back and restores its modes, unless a shell has given it to another group meanwhile.
    pub(super) fn take_back(&mut self) {
        let is_empty = |group| killpg(group, None) == Err(nix::errno::Errno::ESRCH);
        let mine = |holder| holder == self.own || Some(holder) == self.program || is_empty(holder);
        if !self.is_lent || !self.holder().is_some_and(mine) {
            return;
        }
        let _ = tcsetpgrp(&self.tty, self.own);
        self.program_modes = tcgetattr(&self.tty).ok();
        if let Some(modes) = &self.modes {
            // Not TCSADRAIN, which would wait while output is stopped (Ctrl-S).
            let _ = tcsetattr(&self.tty, SetArg::TCSANOW, modes);
        }
        self.is_lent = false;
    }

    /// Decides what to do after `signal` has stopped the program, and stops muontrap if a shell is to know of it.
    /// `was_continued` returns whether SIGCONT came since its last call.
    pub(super) fn program_stopped(
        &mut self,
        signal: i32,
        was_continued: impl Fn() -> bool,
    ) -> AfterStop {
        let wants_terminal = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
        let has_terminal = self.is_lent && self.holder() == self.program;
        if wants_terminal && (has_terminal || self.lend()) {
            return AfterStop::Continue;
        }
        if signal == libc::SIGSTOP && !self.is_lent {
            return AfterStop::Wait;
        }
        self.take_back();
        was_continued();
        // Not by SIGSTOP: by a signal of the terminal, the kernel does not stop a group that no shell could continue.
        sys::stop_own_group(if wants_terminal {
            signal
        } else {
            libc::SIGTSTP
        });
        if wants_terminal && !was_continued() {
            AfterStop::Terminate
        } else {
            AfterStop::Continue
        }
    }
}
