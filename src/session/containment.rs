// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Killing the program and all processes that it started, by its cgroup and as descendants.

use crate::cgroup::{Cgroup, KillStep};
use crate::error::Failure;
use crate::process::backoff::Backoff;
use crate::process::process_ids::UNREADABLE;
use crate::process::sweep::{Progress, Signal, Sweep};
use crate::sys::{self, ProcessId};
use std::time::{Duration, Instant};

/// The kernel may count a dead process as a member of its cgroup for a while.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait for a cgroup above to be thawed. No process in it can die before.
const THAW_TIMEOUT: Duration = Duration::from_secs(5);

/// What EXITED reports of the cgroup.
#[derive(Clone, Copy, Debug, Default)]
pub struct CgroupReport {
    /// Processes that the kernel killed for want of memory.
    pub oom_kills: u64,
    /// Peak memory, bytes.
    pub peak: Option<u64>,
    /// Whether its directory was not removed.
    pub left: bool,
}

impl CgroupReport {
    fn take_counts(&mut self, cgroup: &Cgroup) {
        self.oom_kills = cgroup.oom_kills();
        self.peak = cgroup.peak_memory();
    }
}

/// The program and its descendants.
#[derive(Debug)]
pub struct Containment {
    cgroup: Option<Cgroup>,
    is_removed: bool,
    sweep: Sweep,
    is_sweeping: bool,
    backoff: Backoff,
    removal_deadline: Option<Instant>,
    /// Since when a cgroup above is known to be frozen.
    frozen_since: Option<Instant>,
    /// How many killed processes will die when it is thawed.
    frozen: usize,
    report: CgroupReport,
    has_kill_failed: bool,
    /// Diagnostics for people, which the session writes.
    pub warnings: Vec<String>,
}

impl Containment {
    /// Of a program that was started in `cgroup`.
    pub fn new(cgroup: Option<Cgroup>, sweep: Sweep) -> Self {
        Self {
            cgroup,
            is_removed: false,
            sweep,
            is_sweeping: false,
            backoff: Backoff::default(),
            removal_deadline: None,
            frozen_since: None,
            frozen: 0,
            report: CgroupReport::default(),
            has_kill_failed: false,
            warnings: Vec::new(),
        }
    }

    /// The directories of the cgroup: (controllers, path).
    pub fn directories(&self) -> Vec<(String, String)> {
        let directories = self.cgroup.as_ref().map(Cgroup::directories);
        let directories = directories.into_iter().flatten();
        directories
            .map(|(label, path)| (label, path.to_string_lossy().into_owned()))
            .collect()
    }

    /// A child was reaped.
    pub fn note_reaped(&mut self, pid: i32) {
        self.sweep.note_reaped(pid);
        self.backoff.reset();
    }

    /// Sends a signal to those of the program and its descendants that did not get it before. Returns whether to call this
    /// again, after the dead were reaped.
    pub fn signal(&mut self, signal: &mut Signal) -> bool {
        self.sweep.signal(signal)
    }

    /// Stops all processes in the program's group, if that is safe. They may leave a process that was sent SIGKILL no
    /// processor time to die.
    pub fn stop_group(&self) {
        self.sweep.stop_group();
    }

    /// Whether a process is a descendant of this session, as far as `/proc` shows it.
    pub fn is_descendant(&self, pid: i32) -> bool {
        self.sweep.is_descendant(pid)
    }

    /// Whether the program or a descendant is alive, or one in this process group.
    pub fn has_descendants(&mut self, group: Option<i32>) -> bool {
        self.sweep.has_descendants(group)
    }

    /// Descendants that were found since the last call, after a fork.
    pub fn find_forked(&mut self) -> Vec<ProcessId> {
        self.sweep.find_forked()
    }

    /// From now on, [`Self::sweep`] kills.
    pub fn begin_sweep(&mut self) {
        self.is_sweeping = true;
        self.backoff.reset();
    }

    /// How long to wait for the death of a child before the next call of [`Self::sweep`].
    pub fn pause(&self) -> Duration {
        self.backoff.remaining()
    }

    /// Kills what is left, when the next attempt is due.
    pub fn sweep(&mut self) -> Progress {
        if !self.is_sweeping {
            return Progress::Gone;
        }
        if !self.backoff.is_due() {
            return Progress::Waiting;
        }
        let killed = self.killed();
        let progress = self.sweep_once();
        self.backoff
            .schedule(self.killed() > killed || self.sweep.has_progressed());
        progress
    }

    /// First the cgroup, which finds its members whatever their parents are, then descendants that have left it.
    fn sweep_once(&mut self) -> Progress {
        if !self.remove_unused_cgroup() && self.empty_cgroup() == Progress::Waiting {
            return Progress::Waiting;
        }
        let progress = self.sweep.step();
        if self.frozen > 0 {
            return Progress::Gone;
        }
        if progress == Progress::Gone {
            self.warn_of_survivors();
        }
        progress
    }

    /// Removes the cgroup if the program has left no process behind, as most do not. The kernel refuses to remove one
    /// that has a process, so it needs no look before.
    fn remove_unused_cgroup(&mut self) -> bool {
        let Some(cgroup) = self.cgroup.as_mut().filter(|cgroup| cgroup.is_new()) else {
            return false;
        };
        if self.is_removed || sys::has_children().unwrap_or(true) {
            return self.is_removed;
        }
        self.report.take_counts(cgroup);
        self.is_removed = matches!(cgroup.remove_step(), Ok(true));
        self.is_removed
    }

    fn warn_of_survivors(&mut self) {
        let denied = self.sweep.kills().denied();
        if !denied.is_empty() {
            self.warnings.push(format!(
                "not permitted to kill {denied:?}, which the program left behind"
            ));
        }
        if self.sweep.hidden() > 0 {
            self.warnings
                .push("the program left processes behind that cannot be found in /proc".to_owned());
        }
    }

    fn empty_cgroup(&mut self) -> Progress {
        let Some(cgroup) = &mut self.cgroup else {
            return Progress::Gone;
        };
        match cgroup.kill_step() {
            Ok(KillStep::Busy { remaining }) if cgroup.denied() < remaining => {
                self.wait_for_thaw(remaining)
            }
            Ok(_) => Progress::Gone,
            Err(error) => {
                // Each step tries again.
                if !std::mem::replace(&mut self.has_kill_failed, true) {
                    self.warnings
                        .push(format!("cannot empty the cgroup: {error}"));
                }
                Progress::Gone
            }
        }
    }

    fn wait_for_thaw(&mut self, remaining: usize) -> Progress {
        let Some(failure) = self.held_frozen() else {
            return Progress::Waiting;
        };
        self.frozen = remaining;
        self.warnings
            .push(format!("{remaining} processes are left: {failure}"));
        Progress::Gone
    }

    /// Thaws the cgroup, so that the program can handle the stop signal.
    pub fn thaw(&mut self) {
        if let Some(Err(error)) = self.cgroup.as_ref().map(Cgroup::thaw) {
            self.warnings
                .push(format!("cannot thaw the cgroup: {error}"));
        }
    }

    /// Why no process in the cgroup can die, once that has been so for [`THAW_TIMEOUT`].
    pub fn held_frozen(&mut self) -> Option<Failure> {
        let frozen = self.cgroup.as_ref().and_then(Cgroup::held_frozen);
        let failure = frozen.map(Failure::from);
        if failure.is_none() {
            self.frozen_since = None;
            return None;
        }
        let since = *self.frozen_since.get_or_insert_with(Instant::now);
        failure.filter(|_| since.elapsed() >= THAW_TIMEOUT)
    }

    /// Takes the report of the cgroup, then tries to remove it.
    pub fn remove(&mut self) -> Progress {
        let Some(cgroup) = self.cgroup.as_mut().filter(|_| !self.is_removed) else {
            return Progress::Gone;
        };
        let deadline = *self.removal_deadline.get_or_insert_with(|| {
            self.report.take_counts(cgroup);
            Instant::now() + REMOVAL_TIMEOUT
        });
        // Processes that were left running on purpose keep it, and so do those that cannot die.
        let may_stay = !self.is_sweeping || self.frozen > 0;
        if may_stay && !cgroup.is_empty().unwrap_or(true) {
            self.report.left = true;
            return Progress::Gone;
        }
        let why = match cgroup.remove_step() {
            Ok(true) => return Progress::Gone,
            Ok(false) if Instant::now() < deadline => return Progress::Waiting,
            Ok(false) => "it is still in use".to_owned(),
            Err(error) => error.to_string(),
        };
        self.report.left = true;
        let directories = cgroup.directories();
        let paths: Vec<_> = directories.iter().map(|(_, path)| path).collect();
        self.warnings
            .push(format!("cannot remove the cgroup {paths:?}: {why}"));
        Progress::Gone
    }

    /// The report of the cgroup, complete after [`Self::remove`].
    pub fn report(&self) -> CgroupReport {
        self.report
    }

    /// How many processes were killed after the program's death.
    pub fn killed(&self) -> usize {
        let members = self.cgroup.as_ref().map_or(0, Cgroup::killed);
        // Those that are frozen were killed in both ways.
        (self.sweep.kills().count() + members).saturating_sub(self.frozen)
    }

    /// What a sweep has left: processes that could not be killed, or are not dead yet.
    pub fn left(&self) -> Vec<ProcessId> {
        let kills = self.sweep.kills();
        if self.is_sweeping && kills.have_left() && sys::has_children().unwrap_or(true) {
            let left = kills.left();
            left.iter()
                .filter(|(_, started)| *started != UNREADABLE)
                .collect()
        } else {
            Vec::new()
        }
    }

    /// How many processes could not be killed.
    pub fn survivors(&self) -> usize {
        let descendants = self.sweep.kills().denied().len() + self.sweep.hidden();
        // Most of them are descendants, too.
        let members = self.cgroup.as_ref().map_or(0, Cgroup::denied);
        descendants.max(members).max(self.frozen)
    }
}
