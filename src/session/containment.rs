// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What holds the program's processes together: its cgroup, and the table of descendants.

use crate::cgroup::{Cgroup, KillStep};
use crate::error::Failure;
use crate::process::pace::Pace;
use crate::process::sweep::{Progress, Sweep};
use std::time::{Duration, Instant};

/// The kernel may count a dead process as a member of its cgroup for a while.
const REMOVAL_TIME: Duration = Duration::from_secs(2);

/// A cgroup that is frozen from above gets this long to be thawed, for nobody in it can die before.
const THAW_TIME: Duration = Duration::from_secs(5);

/// What the cgroup had to say before it was removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct CgroupReport {
    /// Processes that the kernel killed because the group was out of memory.
    pub oom_kills: u64,
    /// The most memory that was used, bytes.
    pub peak: Option<u64>,
    /// Whether its directory is still there.
    pub left: bool,
}

/// All processes that the program started, and the program.
#[derive(Debug)]
pub struct Containment {
    cgroup: Option<Cgroup>,
    sweep: Sweep,
    is_sweeping: bool,
    pace: Pace,
    removal: Option<Instant>,
    /// Since when the cgroup is seen to be frozen from above.
    frozen: Option<Instant>,
    /// Processes that are left to die when that is thawed.
    undead: usize,
    report: CgroupReport,
    /// Whether it was said that the cgroup cannot be emptied.
    has_complained: bool,
    /// What could not be done, for people to read; the session passes it on.
    pub complaints: Vec<String>,
}

impl Containment {
    /// With the group that the program was started in, and what finds its descendants.
    pub fn new(cgroup: Option<Cgroup>, sweep: Sweep) -> Self {
        Self {
            cgroup,
            sweep,
            is_sweeping: false,
            pace: Pace::default(),
            removal: None,
            frozen: None,
            undead: 0,
            report: CgroupReport::default(),
            has_complained: false,
            complaints: Vec::new(),
        }
    }

    /// The directories of the cgroup, each with its controllers.
    pub fn directories(&self) -> Vec<(String, String)> {
        let directories = self.cgroup.as_ref().map(Cgroup::directories);
        let directories = directories.into_iter().flatten();
        directories
            .map(|(label, path)| (label, path.to_string_lossy().into_owned()))
            .collect()
    }

    /// A child was waited for.
    pub fn note_dead(&mut self, pid: i32) {
        self.sweep.forget(pid);
        self.pace.hurry();
    }

    /// From now on nothing may survive.
    pub fn begin_sweep(&mut self) {
        self.is_sweeping = true;
        self.pace.hurry();
    }

    /// How long to wait until the next step of killing, unless a child dies before.
    pub fn pause(&self) -> Duration {
        self.pace.pause()
    }

    /// One step of killing, if it is time for one.
    pub fn sweep(&mut self) -> Progress {
        if !self.is_sweeping {
            return Progress::Gone;
        }
        if !self.pace.is_due() {
            return Progress::Waiting;
        }
        let killed = self.killed();
        let progress = self.sweep_once();
        self.pace
            .looked(self.killed() > killed || self.sweep.has_news());
        progress
    }

    /// The cgroup holds what it holds, whoever its parent is, so it goes first. What got out of it is
    /// left to the sweep of the descendants.
    fn sweep_once(&mut self) -> Progress {
        if self.empty_cgroup() == Progress::Waiting {
            return Progress::Waiting;
        }
        if self.undead > 0 {
            return Progress::Gone;
        }
        let progress = self.sweep.step();
        if progress == Progress::Gone {
            self.complain_of_survivors();
        }
        progress
    }

    fn complain_of_survivors(&mut self) {
        let refused = self.sweep.refused();
        if !refused.is_empty() {
            self.complaints.push(format!(
                "not permitted to kill {refused:?}, which the program left behind"
            ));
        }
        if self.sweep.lost() > 0 {
            self.complaints.push(
                "the program left processes behind that are not to be found in /proc".to_owned(),
            );
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
                // It is tried again with each step, and may go well yet.
                if !std::mem::replace(&mut self.has_complained, true) {
                    self.complaints
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
        self.undead = remaining;
        self.complaints
            .push(format!("{remaining} processes are left: {failure}"));
        Progress::Gone
    }

    /// Lets the program go on, which may have been frozen, so that it can end.
    pub fn thaw(&mut self) {
        if let Some(Err(error)) = self.cgroup.as_ref().map(Cgroup::thaw) {
            self.complaints
                .push(format!("cannot thaw the cgroup: {error}"));
        }
    }

    /// Why nobody in the cgroup can die, once that has been so for long enough.
    pub fn held_frozen(&mut self) -> Option<Failure> {
        let failure = self.cgroup.as_ref().and_then(Cgroup::held_frozen);
        if failure.is_none() {
            self.frozen = None;
            return None;
        }
        let since = *self.frozen.get_or_insert_with(Instant::now);
        failure.filter(|_| since.elapsed() >= THAW_TIME)
    }

    /// One step of removing the cgroup, whose own report is taken first.
    pub fn remove(&mut self) -> Progress {
        let Some(cgroup) = &mut self.cgroup else {
            return Progress::Gone;
        };
        let deadline = *self.removal.get_or_insert_with(|| {
            self.report.oom_kills = cgroup.oom_kills();
            self.report.peak = cgroup.peak_memory();
            Instant::now() + REMOVAL_TIME
        });
        // What was left running on purpose keeps its group, and so does what cannot die.
        let keeps = !self.is_sweeping || self.undead > 0;
        if keeps && !cgroup.is_empty().unwrap_or(true) {
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
        self.complaints
            .push(format!("cannot remove the cgroup {paths:?}: {why}"));
        Progress::Gone
    }

    /// What the cgroup had to say, once it was removed.
    pub fn report(&self) -> CgroupReport {
        self.report
    }

    /// Processes that were killed after the program's own death.
    pub fn killed(&self) -> usize {
        self.sweep.killed() + self.cgroup.as_ref().map_or(0, Cgroup::killed)
    }

    /// Processes that could not be killed.
    pub fn survivors(&self) -> usize {
        let outside = self.sweep.refused().len() + self.sweep.lost();
        // Those in the cgroup that are descendants too were counted just now.
        let inside = self.cgroup.as_ref().map_or(0, Cgroup::denied);
        outside.max(inside).max(self.undead)
    }
}
