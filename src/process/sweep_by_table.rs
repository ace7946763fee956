// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Killing what the program left behind, where orphans become children of init.
//!
//! All known descendants are stopped before any is killed, so that none can fork meanwhile and none loses its parent
//! before its children were found.

use super::children::Children;
use super::kills::Kills;
use super::preexisting::Preexisting;
pub use super::progress::Progress;
use super::reap::{SWEEP_BATCH, reap};
use super::tracker::{Found, Tracker};
use crate::sys::{self, Entry, ForkWatch, Process, ProcessId, live_processes};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

/// Rounds of stopping before the kill. A descendant that cannot be stopped, for example because it is traced, must
/// not keep the others alive.
const MAX_STOP_ROUNDS: u32 = 20;

/// How often to signal those that were found meanwhile.
const MAX_SIGNAL_ROUNDS: u32 = 20;

/// Generations to search for an ancestor.
const MAX_DEPTH: u32 = 1000;

/// Kills the descendants of another process as far as they can be found, orphans in their groups included, and returns
/// whether it has children. All are stopped and killed at once, since orphans are not found later.
pub fn kill_descendants_of(_entry: &Entry, process: &Process) -> bool {
    let all = live_processes().unwrap_or_default();
    let children = all.iter().filter(|it| it.ppid == process.pid);
    let children: Vec<ProcessId> = children.map(Process::id).collect();
    let mut sweep = Sweep::sparing(Preexisting::default());
    sweep.add(&children);
    if !children.is_empty() {
        sweep.step_without_reaping();
    }
    !children.is_empty()
}

/// What another sweep of the same program has to know.
#[derive(Clone, Debug)]
pub struct Handover {
    preexisting: Preexisting,
    found: Found,
}

/// A signal that each descendant gets once, or each in the process group `group`.
#[derive(Debug)]
pub struct Signal {
    number: i32,
    group: Option<i32>,
    rounds: u32,
    signaled: BTreeSet<ProcessId>,
}

impl Signal {
    pub fn new(number: i32, group: Option<i32>) -> Self {
        Self {
            number,
            group,
            rounds: 0,
            signaled: BTreeSet::new(),
        }
    }
}

/// Kills the descendants of a program, in steps.
#[derive(Debug)]
pub struct Sweep {
    tracker: Tracker,
    program: i32,
    preexisting: Preexisting,
    stopped: BTreeSet<ProcessId>,
    kills: Kills,
    /// Whether the process table cannot be read.
    is_blind: bool,
    has_progressed: bool,
}

impl Sweep {
    /// Opens what is needed to find processes, and finds the preexisting ones, which are left alone.
    pub fn prepare() -> io::Result<Self> {
        let mut sweep = Self::sparing(Preexisting::default());
        sweep.tracker = Tracker::watching()?;
        if sys::has_children()? {
            sweep.preexisting.find(&mut Children::open())?;
        }
        Ok(sweep)
    }

    /// As [`Self::prepare`], when the preexisting processes are known, for a program that has ended.
    pub fn sparing(preexisting: Preexisting) -> Self {
        Self {
            tracker: Tracker::default(),
            program: 0,
            preexisting,
            stopped: BTreeSet::new(),
            kills: Kills::default(),
            is_blind: false,
            has_progressed: false,
        }
    }

    /// What [`Self::taking_over`] needs.
    pub fn handover(&self) -> Handover {
        Handover {
            preexisting: self.preexisting.clone(),
            found: self.tracker.found(),
        }
    }

    /// Continues another sweep, which knows descendants that are not found in the process table any more.
    pub fn taking_over(handover: Handover) -> Self {
        let mut sweep = Self::sparing(handover.preexisting);
        sweep.add(&handover.found.processes());
        sweep
    }

    /// Sets the program's pid, which is its process group, too.
    pub fn set_program(&mut self, pid: i32) {
        self.program = pid;
        self.tracker.add_program(pid);
        self.update();
    }

    /// Adds processes that another session has started.
    pub fn add(&mut self, processes: &[ProcessId]) {
        for id in processes {
            self.tracker.add(*id);
        }
    }

    /// A descriptor that tells of forks of descendants.
    pub fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.tracker.watch().map(|watch| watch.as_fd())
    }

    /// Descendants that were found since the last call, after a fork.
    pub fn find_forked(&mut self) -> Vec<ProcessId> {
        if self.tracker.watch().is_some_and(ForkWatch::clear) {
            self.update();
        }
        self.tracker.take_fresh()
    }

    fn update(&mut self) {
        self.is_blind = self.tracker.update(&self.preexisting).is_err();
    }

    fn known(&mut self) -> Vec<Process> {
        self.update();
        self.tracker.known().copied().collect()
    }

    /// Does nothing: when a group becomes orphaned, its stopped processes get SIGHUP and SIGCONT, and go on.
    #[allow(clippy::unused_self)]
    pub fn stop_group(&self) {}

    /// Sends a signal to those that did not get it before. Returns whether to call this again.
    pub fn signal(&mut self, signal: &mut Signal) -> bool {
        let before = signal.signaled.len();
        for process in self.known() {
            let is_meant = signal.group.is_none_or(|group| process.group == group);
            if is_meant && signal.signaled.insert(process.id()) {
                // EPERM, when it has become another user's.
                let _ = process.signal(signal.number);
            }
        }
        signal.rounds += 1;
        signal.signaled.len() > before && signal.rounds < MAX_SIGNAL_ROUNDS
    }

    /// Whether a process is a descendant, as far as the process table shows it.
    pub fn is_descendant(&self, mut pid: i32) -> bool {
        for _ in 0..MAX_DEPTH {
            match Process::find(pid) {
                Ok(process) if self.tracker.knows(&process) => return true,
                Ok(process) if process.ppid > 1 => pid = process.ppid,
                _ => return false,
            }
        }
        false
    }

    /// Whether a descendant is alive, or one in this process group.
    pub fn has_descendants(&mut self, group: Option<i32>) -> bool {
        let is_meant = |process: &Process| group.is_none_or(|group| process.group == group);
        self.known().iter().any(is_meant)
    }

    /// A child was reaped.
    pub fn note_reaped(&mut self, pid: i32) {
        self.preexisting.children.remove(&pid);
        self.kills.forget(pid);
    }

    pub fn kills(&self) -> &Kills {
        &self.kills
    }

    pub fn kills_mut(&mut self) -> &mut Kills {
        &mut self.kills
    }

    /// How many others are alive because they cannot be found.
    pub fn hidden(&self) -> usize {
        usize::from(self.is_blind)
    }

    /// Whether the last step killed a process.
    pub fn has_progressed(&self) -> bool {
        self.has_progressed
    }

    /// Only what was added is killed, so nothing else has to be spared.
    #[allow(clippy::unused_self)]
    pub fn spare(&mut self, _children: BTreeSet<i32>) {}

    /// Stops, kills and reaps once.
    pub fn step(&mut self) -> Progress {
        self.step_with(Self::reap)
    }

    /// As [`Self::step`], for a caller that reaps children itself, and reports each by [`Self::note_reaped`].
    pub fn step_without_reaping(&mut self) -> Progress {
        self.step_with(|_| ())
    }

    fn step_with(&mut self, reap: fn(&mut Self)) -> Progress {
        self.has_progressed = false;
        let mut alive = Vec::new();
        for _ in 0..MAX_STOP_ROUNDS {
            reap(self);
            alive = self.known();
            if !self.stop(&alive) {
                break;
            }
        }
        if self.is_blind {
            if self.program > 0 {
                let _ = sys::kill(-self.program, libc::SIGKILL);
            }
            return Progress::Gone;
        }
        self.kills.forget_denied();
        // Children before their parents, as far as possible: the death of a parent may continue stopped children
        // (SIGHUP and SIGCONT to orphaned process groups).
        alive.sort_unstable_by_key(|process| std::cmp::Reverse(process.started));
        for process in &alive {
            let sent = process.signal(libc::SIGKILL);
            self.has_progressed |= self.kills.note(process.id(), sent);
        }
        let is_over =
            |it: &Process| self.kills.denied().contains(&it.pid) || self.kills.is_exempt(it.id());
        if alive.iter().all(is_over) {
            Progress::Gone
        } else {
            Progress::Waiting
        }
    }

    fn reap(&mut self) {
        let mut dead = Vec::new();
        // After an error, they are zombies.
        let _ = reap(0, SWEEP_BATCH, |pid| dead.push(pid));
        for pid in dead {
            self.note_reaped(pid);
        }
    }

    /// Returns whether one was not stopped yet.
    fn stop(&mut self, alive: &[Process]) -> bool {
        let mut is_new = false;
        for process in alive {
            let id = process.id();
            let is_done = self.kills.is_done(id);
            // Again if a process that was not stopped yet has continued it.
            if self.stopped.insert(id) || !(process.cannot_fork() || is_done) {
                let _ = process.signal(libc::SIGSTOP);
                is_new = true;
            }
        }
        is_new
    }
}
