// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The Stopping state: signals in steps, and SIGKILL after the last.

use super::emergency;
use super::states::{Session, State};
use crate::config::{StopScope, StopStep};
use crate::diagnostics;
use crate::process::reap::SWEEP_BATCH;
use crate::process::sweep::Signal;
use crate::sys;
use std::io;
use std::time::{Duration, Instant};

/// How often to look whether the process group of a dead program is empty. The death of a process in it whose parent
/// is alive is no event.
const GROUP_INTERVAL: Duration = Duration::from_millis(100);

impl Session<'_> {
    pub(super) fn stop(&mut self) -> io::Result<()> {
        if self.state != State::Running || self.death.is_some() {
            return Ok(());
        }
        self.stopped = true;
        self.containment.thaw();
        self.take_stop_step()?;
        emergency::inject_panic("stopping");
        Ok(())
    }

    /// Sends the signal of the next step, or SIGKILL.
    fn take_stop_step(&mut self) -> io::Result<()> {
        let Some(StopStep { signal, wait }) = self.stop_steps.next() else {
            self.needed_sigkill = true;
            // Another user's program may wait for the others, as sudo(8) does.
            if self.signal(libc::SIGKILL) {
                self.containment.stop_group();
            }
            self.containment.thaw();
            self.state = State::Stopping { deadline: None };
            return Ok(());
        };
        let deadline = Instant::now().checked_add(wait);
        self.state = State::Stopping { deadline };
        self.signal_scope(signal)?;
        // A stopped program acts on a signal only once it goes on.
        self.signal_scope(libc::SIGCONT)?;
        // It may have died of that already.
        self.reap_dead()
    }

    /// Takes the next step when it is due.
    pub(super) fn advance_stop(&mut self) -> io::Result<()> {
        if self.is_overdue() && !self.has_stopped() {
            self.take_stop_step()?;
        }
        Ok(())
    }

    fn is_overdue(&self) -> bool {
        match self.state {
            State::Stopping {
                deadline: Some(deadline),
            } => Instant::now() >= deadline,
            _ => false,
        }
    }

    pub(super) fn until_next_step(&self, deadline: Instant) -> Duration {
        let time = deadline.saturating_duration_since(Instant::now());
        if self.death.is_some() && self.config.stop_scope == StopScope::Group {
            time.min(GROUP_INTERVAL)
        } else {
            time
        }
    }

    /// Whether nothing is left of what the stop is to wait for. Others are killed then.
    pub(super) fn has_stopped(&mut self) -> bool {
        let State::Stopping { deadline } = self.state else {
            return false;
        };
        self.death.is_some()
            && match self.config.stop_scope {
                StopScope::Program => true,
                // The sweep waits for the others that get SIGKILL.
                _ if deadline.is_none() => true,
                StopScope::Group => !self.containment.has_descendants(Some(self.pid)),
                StopScope::All => !self.containment.has_descendants(None),
            }
    }

    fn signal_scope(&mut self, number: i32) -> io::Result<()> {
        match self.config.stop_scope {
            StopScope::Program => {
                self.signal(number);
            }
            // All at once, which misses none. Once the program was reaped, its pid may be that of another group.
            StopScope::Group if self.death.is_none() => {
                if sys::kill(-self.pid, number).is_err() {
                    // It has moved to another group.
                    self.signal(number);
                }
            }
            StopScope::Group => self.signal_descendants(number, Some(self.pid))?,
            StopScope::All => self.signal_descendants(number, None)?,
        }
        Ok(())
    }

    /// Sends a signal to all descendants, or to those in a process group. Meanwhile the dead are reaped, since thousands of
    /// zombies would take seconds to list.
    fn signal_descendants(&mut self, number: i32, group: Option<i32>) -> io::Result<()> {
        let mut signal = Signal::new(number, group);
        self.reap_up_to(SWEEP_BATCH)?;
        while self.containment.signal(&mut signal) {
            self.reap_up_to(SWEEP_BATCH)?;
        }
        Ok(())
    }

    /// Sends a signal to the program, unless it was reaped: then its pid may be another's. Returns whether it is dead or
    /// was sent the signal.
    pub(super) fn signal(&self, number: i32) -> bool {
        if self.death.is_some() {
            return true;
        }
        let sent = sys::kill(self.pid, number);
        // EPERM, when the program has become another user's.
        if let Err(error) = &sent {
            diagnostics::say(format_args!(
                "cannot send signal {number} to {}: {error}",
                self.pid
            ));
        }
        sent.is_ok()
    }
}
