// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! From the program's death to EXITED: the sweep, the last output, the report.

use super::containment::Containment;
use super::states::{Session, State, warn};
use super::{abort, emergency};
use crate::diagnostics;
use crate::process::children::Children;
use crate::process::reap::Death;
use crate::wire::message::{self, OutputStream};
use crate::wire::notice::Notices;
use crate::wire::report::Report;
use crate::wire::transport::Transport;
use std::io;
use std::time::{Duration, Instant};

impl Session<'_> {
    /// Gives up on a program in a cgroup that is frozen from above: it dies only when that is thawed. Every process
    /// in the cgroup is sent SIGKILL, and the owner gets FAILED.
    pub(super) fn abandon_frozen(&mut self) {
        let Some(failure) = self.containment.held_frozen() else {
            return;
        };
        self.start_sweep();
        self.containment.sweep();
        self.containment.warnings.clear();
        announce_survivors(self.notices, &self.containment);
        self.end_job();
        self.state = State::Done;
        match self.transport {
            Transport::Framed { .. } => self.outbox.send(&message::failed(&failure)),
            Transport::Plain | Transport::Terminal | Transport::Raw => diagnostics::say(&failure),
        }
    }

    pub(super) fn begin_sweep(&mut self) -> io::Result<()> {
        self.end_job();
        if self.keeps_orphans() {
            emergency::disarm();
            self.announce_orphans();
            return self.begin_drain();
        }
        self.start_sweep();
        Ok(())
    }

    /// Tells the fork server, whose children the orphans become. It would kill them otherwise.
    fn announce_orphans(&self) {
        if self.notices.are_read() {
            let orphans = Children::open().list().pids;
            let _ = self.notices.left(orphans);
        }
    }

    /// Whether what the program leaves behind is kept, since it has exited by itself.
    fn keeps_orphans(&self) -> bool {
        self.config.leave_orphans && self.state == State::Running && self.death.is_some()
    }

    fn start_sweep(&mut self) {
        self.containment.begin_sweep();
        self.state = State::Sweeping;
        emergency::inject_panic("sweeping");
    }

    /// The event loop itself failed: tears down with blocking waits.
    pub(super) fn abort(mut self) {
        let spares = self.keeps_orphans();
        self.signal(libc::SIGKILL);
        if matches!(self.state, State::Running | State::Stopping { .. }) && !spares {
            self.start_sweep();
        }
        let mut terminal = self.terminal.take();
        // Free descriptors, whose lack may be why the loop failed.
        drop((self.relay, self.input, self.reactor));
        abort::tear_down(&mut self.containment, self.state == State::Sweeping);
        announce_survivors(self.notices, &self.containment);
        if let Some(terminal) = &mut terminal {
            terminal.take_back();
        }
        warn(&mut self.containment);
    }

    /// Counts the bytes in the pipes, to forward no more than these. A survivor, or a process that was handed a pipe,
    /// may hold it open and write to it for ever.
    pub(super) fn begin_drain(&mut self) -> io::Result<()> {
        self.state = State::Draining;
        emergency::inject_panic("draining");
        if self.relay.has_several() {
            // Which stream was written to first is not known once all are marked as ready.
            self.reactor.wait(Some(Duration::ZERO))?;
        }
        self.relay.seal(&mut self.reactor.ready)
    }

    pub(super) fn finish(&mut self) {
        self.state = State::Done;
        self.last_ack = Instant::now();
        // By now the process groups of what the program started are empty, too.
        self.end_job();
        self.pass_interrupt_on();
        emergency::inject_panic("done");
        announce_survivors(self.notices, &self.containment);
        if let Some((death, wall)) = &self.death {
            let report = self.report(death, *wall);
            self.outbox.send(&message::exited(&report));
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

/// Tells the fork server, whose children they become. It would wait for them when another session is killed.
fn announce_survivors(notices: &Notices, containment: &Containment) {
    if notices.are_read() {
        let _ = notices.survivors(&containment.left());
    }
}
