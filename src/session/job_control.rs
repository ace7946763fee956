// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Suspending and resuming the program, and keys that end it.

use super::states::{Session, State};
use super::terminal::AfterStop;
use crate::diagnostics;
use crate::process::reap::Ending;
use crate::sys;
use std::io;

/// The signals of the keys Ctrl-C and Ctrl-\.
const KEYS: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

impl Session<'_> {
    /// Stops and continues the program with muontrap, and muontrap with the program, as a terminal or a shell asks.
    pub(super) fn control_job(&mut self, child_changed: bool) -> io::Result<()> {
        if self.terminal.is_none() || self.state != State::Running || self.death.is_some() {
            return Ok(());
        }
        if self.signals.take_suspend() {
            self.signal_group(libc::SIGTSTP);
        }
        if self.signals.take_resume() {
            self.resume();
        }
        let stopped_by = child_changed.then(|| sys::stopped_by(self.pid)).flatten();
        stopped_by.map_or(Ok(()), |signal| self.program_stopped(signal))
    }

    fn program_stopped(&mut self, signal: i32) -> io::Result<()> {
        let Some(terminal) = &mut self.terminal else {
            return Ok(());
        };
        let signals = &self.signals;
        match terminal.program_stopped(signal, || signals.take_resume()) {
            AfterStop::Wait => Ok(()),
            AfterStop::Continue => {
                self.resume();
                Ok(())
            }
            AfterStop::Terminate => {
                diagnostics::say(
                    "the program needs the terminal, which another process group has; stopping it",
                );
                self.stop()
            }
        }
    }

    fn resume(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.lend_again();
        }
        self.signal_group(libc::SIGCONT);
    }

    fn signal_group(&self, signal: i32) {
        // ESRCH, when the program has moved to another group.
        let _ = sys::kill(-self.pid, signal);
    }

    /// Takes the terminal back from a dead program, and notes the key that ended it.
    pub(super) fn end_job(&mut self) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        if let Some((death, _)) = &self.death {
            let by_key =
                matches!(death.ending, Ending::Signaled(signal) if KEYS.contains(&signal.into()));
            if by_key && terminal.is_lent() && !self.stopped {
                self.interrupted_by = Some(death.ending);
            }
        }
        terminal.take_back();
    }

    /// Sends the signal of a key that ended the program to muontrap's own process group, too: the key was meant for
    /// all that the shell started, such as a script around muontrap.
    pub(super) fn pass_interrupt_on(&self) {
        if let Some(Ending::Signaled(signal)) = self.interrupted_by {
            let _ = sys::kill(0, signal.into());
        }
    }
}
