// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! From the program's death to EXITED: the sweep, the last output, the report.

use super::{Session, State};
use crate::diagnostics;
use crate::process::children::Children;
use crate::process::reap::Death;
use crate::session::abort;
use crate::session::containment::Containment;
use crate::session::emergency;
use crate::wire::frame::{self, OutputStream, Report};
use crate::wire::transport::Transport;
use std::io;
use std::time::{Duration, Instant};

impl Session<'_> {
    /// A program in a group that is frozen from above dies when that is thawed, and not before. All in it
    /// are sent SIGKILL now, and the owner is told.
    pub(super) fn leave_frozen(&mut self) {
        let Some(failure) = self.containment.held_frozen() else {
            return;
        };
        self.start_sweep();
        self.containment.sweep();
        self.containment.warnings.clear();
        self.end_job();
        self.state = State::Done;
        match self.config.transport {
            Transport::Framed { .. } => self.outbox.send(&frame::failed(&failure)),
            Transport::Plain | Transport::Terminal | Transport::Raw => diagnostics::say(&failure),
        }
    }

    pub(super) fn begin_sweep(&mut self) -> io::Result<()> {
        self.end_job();
        if self.spares_orphans() {
            emergency::forget();
            self.tell_of_orphans();
            return self.begin_drain();
        }
        self.start_sweep();
        Ok(())
    }

    /// Otherwise the fork server, whose children they become, might take them for those of a session that
    /// was killed.
    fn tell_of_orphans(&self) {
        if self.config.notices.are_read() {
            let orphans = Children::open().list().pids;
            // Without a fork server they are nobody's.
            let _ = self.config.notices.left(orphans);
        }
    }

    /// Whether what the program left behind may stay, as it exited by itself.
    fn spares_orphans(&self) -> bool {
        self.config.leave_orphans && self.state == State::Running && self.death.is_some()
    }

    fn start_sweep(&mut self) {
        self.containment.begin_sweep();
        self.state = State::Sweeping;
        emergency::rehearse("sweeping");
    }

    /// The event loop itself failed: tears down with blocking waits.
    pub(super) fn give_up(mut self) {
        let spares = self.spares_orphans();
        self.signal(libc::SIGKILL);
        if matches!(self.state, State::Running | State::Stopping { .. }) && !spares {
            self.start_sweep();
        }
        let mut terminal = self.terminal.take();
        // The loop may have failed for want of descriptors.
        drop((self.relay, self.input, self.reactor));
        abort::finish(&mut self.containment, self.state == State::Sweeping);
        if let Some(terminal) = &mut terminal {
            terminal.take_back();
        }
        complain(&mut self.containment);
    }

    /// Counts the bytes in the pipes, which are all that is to be forwarded: a survivor, or a process that was
    /// handed a pipe, may hold it open and write to it for ever.
    pub(super) fn begin_drain(&mut self) -> io::Result<()> {
        self.state = State::Draining;
        emergency::rehearse("draining");
        self.relay.seal(&mut self.reactor.ready)
    }

    pub(super) fn finish(&mut self) {
        self.state = State::Done;
        self.last_ack = Instant::now();
        // Now the groups of all that the program started are empty, too.
        self.end_job();
        self.pass_interrupt_on();
        emergency::rehearse("done");
        if let Some((death, wall)) = &self.death {
            let report = self.report(death, *wall);
            self.outbox.send(&frame::exited(&report));
        }
    }

    fn report(&self, death: &Death, wall: Duration) -> Report {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let cgroup = self.containment.report();
        Report {
            ending: death.ending,
            core_dumped: death.core_dumped,
            oom_killed: cgroup.oom_kills > 0,
            stopped: self.stopped,
            needed_sigkill: self.needed_sigkill,
            cgroup_left: cgroup.left,
            user_us: death.waited.user_us,
            system_us: death.waited.system_us,
            peak_rss: death.waited.peak_rss,
            wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
            stdout_bytes: self.relay.bytes(OutputStream::Stdout),
            stderr_bytes: self.relay.bytes(OutputStream::Stderr),
            swept: count(self.containment.killed()),
            survivors: count(self.containment.survivors()),
            cgroup_peak: cgroup.peak,
        }
    }
}

pub(super) fn complain(containment: &mut Containment) {
    for warning in containment.warnings.drain(..) {
        diagnostics::say(warning);
    }
}
