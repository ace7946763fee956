// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Killing what the program left behind, without a cgroup.
//!
//! Orphans among the program's descendants become children of their subreaper, so each of them stays a descendant of
//! this process, whatever it does with sessions and process groups. So all are gone when this process has no children
//! left, which only `ECHILD` from the kernel proves.

use super::children::{ChildTable, Children, Listing};
use super::descendants;
pub use super::descendants::{Signal, kill_descendants_of};
use super::kills::Kills;
use super::preexisting::Preexisting;
use super::process_ids::UNREADABLE;
pub use super::progress::Progress;
use super::reap::{SWEEP_BATCH, reap};
use crate::sys::{self, Entry, Process, ProcessId};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Rounds of stopping before the kill. A descendant that cannot be stopped, for example because it is traced, must
/// not keep the others alive.
const MAX_STOP_ROUNDS: u32 = 20;

/// How long to search while this process has children but none is found that could be killed.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The processes that are left, as one round of stopping found them.
#[derive(Debug, Default)]
struct Snapshot {
    /// Children of this process, zombies included.
    children: BTreeSet<i32>,
    /// Children whose `/proc/<pid>` cannot be read. They may be alive.
    unreadable: Vec<i32>,
    /// Live processes, each after its parent.
    alive: Vec<Process>,
    /// Whether the round found no new process, and all are stopped.
    is_stable: bool,
    /// Whether `children` is complete.
    is_complete: bool,
}

/// What another sweep has to know.
pub type Handover = Preexisting;

/// Kills the descendants of this process, in steps.
#[derive(Debug)]
pub struct Sweep {
    children: Children,
    /// The program's pid and process group.
    program: i32,
    preexisting: Preexisting,
    stopped: BTreeSet<ProcessId>,
    /// Children that were sent SIGSTOP before `/proc` was read, until they are reaped.
    stopped_children: BTreeSet<i32>,
    kills: Kills,
    hidden: usize,
    stuck_since: Option<Instant>,
    has_progressed: bool,
}

impl Sweep {
    /// Opens what is needed to find processes, and finds the preexisting ones, which are left alone.
    pub fn prepare() -> io::Result<Self> {
        let mut sweep = Self::sparing(Preexisting::default());
        if sys::has_children()? {
            sweep.preexisting.find(&mut sweep.children)?;
        }
        Ok(sweep)
    }

    /// As [`Self::prepare`], when the preexisting processes are known.
    pub fn sparing(preexisting: Preexisting) -> Self {
        Self {
            children: Children::open(),
            program: 0,
            preexisting,
            stopped: BTreeSet::new(),
            stopped_children: BTreeSet::new(),
            kills: Kills::default(),
            hidden: 0,
            stuck_since: None,
            has_progressed: false,
        }
    }

    /// What [`Self::taking_over`] needs.
    pub fn handover(&self) -> Handover {
        self.preexisting.clone()
    }

    /// Continues another sweep.
    pub fn taking_over(preexisting: Handover) -> Self {
        Self::sparing(preexisting)
    }

    /// Sends a signal to those that did not get it before. Returns whether to call this again, after the dead were reaped.
    pub fn signal(&mut self, signal: &mut Signal) -> bool {
        descendants::signal(&mut self.children, &self.preexisting, signal)
    }

    /// Whether a process is a descendant, as far as `/proc` shows it.
    pub fn is_descendant(&self, pid: i32) -> bool {
        descendants::contain(&self.preexisting, pid)
    }

    /// Whether a descendant is alive, or one in this process group.
    pub fn has_descendants(&mut self, group: Option<i32>) -> bool {
        descendants::are_left(&mut self.children, &self.preexisting, group)
    }

    /// Sets the program's pid, which is its process group, too.
    pub fn set_program(&mut self, pid: i32) {
        self.program = pid;
        self.children.probe_from(pid);
    }

    /// Adds processes that another session has started: they have become descendants of this process by themselves.
    #[allow(clippy::unused_self)]
    pub fn add(&mut self, _processes: &[ProcessId]) {}

    /// A descriptor that tells of forks of descendants: these remain descendants whatever happens.
    #[allow(clippy::unused_self)]
    pub fn watch(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Descendants that were found since the last call, after a fork.
    #[allow(clippy::unused_self)]
    pub fn find_forked(&mut self) -> Vec<ProcessId> {
        Vec::new()
    }

    /// A child was reaped.
    pub fn note_reaped(&mut self, pid: i32) {
        self.preexisting.children.remove(&pid);
        self.stopped_children.remove(&pid);
        self.kills.forget(pid);
        // Its own children may have become children of this process.
        self.children.probe_from(self.program);
    }

    pub fn kills(&self) -> &Kills {
        &self.kills
    }

    pub fn kills_mut(&mut self) -> &mut Kills {
        &mut self.kills
    }

    /// How many others are alive because they were not found in `/proc`.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Whether the last step killed a process, or has more pids to probe.
    pub fn has_progressed(&self) -> bool {
        self.has_progressed
    }

    /// Leaves these children and their descendants alone, instead of the ones before.
    pub fn spare(&mut self, children: BTreeSet<i32>) {
        self.preexisting.children = children;
    }

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
        let mut snapshot = Snapshot::default();
        let mut priority = None;
        for _ in 0..MAX_STOP_ROUNDS {
            if matches!(sys::has_children(), Ok(false)) {
                self.kills.forget_denied();
                return Progress::Gone;
            }
            // Processes that fork without a pause leave this one little processor time otherwise.
            priority = priority.or_else(sys::HighPriority::take);
            // In this order, since thousands of zombies take long to list, and processes that have left the group may
            // die as fast as they are reaped.
            self.stop_group();
            reap(self);
            self.stop_children();
            reap(self);
            snapshot = self.stop_round();
            if snapshot.is_stable {
                break;
            }
        }
        self.kill_all(&snapshot);
        self.progress(&snapshot)
    }

    /// Reaps the dead between rounds, so that zombies do not fill the pid table.
    fn reap(&mut self) {
        let mut dead = Vec::new();
        // After an error, children are left, which the caller sees.
        let _ = reap(0, SWEEP_BATCH, |pid| dead.push(pid));
        for pid in dead {
            self.note_reaped(pid);
        }
    }

    /// Stops all descendants that it finds, each before its children are listed, so that the list stays complete.
    fn stop_round(&mut self) -> Snapshot {
        let (Listing { pids, is_complete }, is_stable) = self.stop_children();
        let mut snapshot = Snapshot {
            is_stable,
            is_complete,
            ..Snapshot::default()
        };
        let is_spared = |pid: &i32| self.preexisting.children.contains(pid);
        snapshot.children = pids.into_iter().filter(|pid| !is_spared(pid)).collect();
        let table = self.children.of_others();
        let mut queue: VecDeque<i32> = snapshot.children.iter().copied().collect();
        let mut seen = BTreeSet::new();
        while let Some(pid) = queue.pop_front() {
            if seen.insert(pid) {
                self.stop_one(pid, &table, &mut snapshot, &mut queue, &seen);
            }
        }
        snapshot
    }

    /// Stops the children, until there are no new ones. Returns the last list of them, and whether all in it were
    /// stopped before.
    ///
    /// A process that forks a successor and exits is stopped only when this is faster than it. So nothing is read about
    /// the children.
    fn stop_children(&mut self) -> (Listing, bool) {
        let mut is_stable = true;
        for round in 1..MAX_STOP_ROUNDS {
            // First, since a list of thousands of zombies grows faster than it is read, while they fork.
            if round > 2 {
                self.stop_group();
            }
            let listing = self.children.list();
            let has_new = self.stop_new(&listing.pids);
            is_stable &= !has_new;
            // Probing takes long, and each time another range of pids.
            if !has_new || !listing.is_complete {
                return (listing, is_stable);
            }
        }
        let listing = self.children.list();
        self.stop_new(&listing.pids);
        (listing, false)
    }

    /// Stops those that were not stopped before, and returns whether there were any.
    fn stop_new(&mut self, children: &[i32]) -> bool {
        self.preexisting.adopt(children);
        let is_new = |pid: &i32| {
            !self.preexisting.children.contains(pid) && self.stopped_children.insert(*pid)
        };
        let new: Vec<i32> = children.iter().copied().filter(is_new).collect();
        for &pid in &new {
            // The pid of a child is not reused. After EPERM, SIGKILL will fail, too.
            let _ = sys::kill(pid, libc::SIGSTOP);
        }
        !new.is_empty()
    }

    /// Stops all processes in the program's group at once, so that none can fork meanwhile.
    pub fn stop_group(&self) {
        // While a child is a member, dead or alive, no other group has this number.
        if self.program > 0 && matches!(sys::has_child_in_group(self.program), Ok(true)) {
            let _ = sys::kill(-self.program, libc::SIGSTOP);
        }
    }

    fn stop_one(
        &mut self,
        pid: i32,
        table: &ChildTable,
        snapshot: &mut Snapshot,
        queue: &mut VecDeque<i32>,
        seen: &BTreeSet<i32>,
    ) {
        let is_child = snapshot.children.contains(&pid);
        let opened = Entry::open(pid).and_then(|entry| entry.stat().map(|stat| (entry, stat)));
        let (entry, process) = match opened {
            Ok(opened) => opened,
            Err(_) if is_child && self.kills.is_exempt((pid, UNREADABLE)) => {
                snapshot.children.remove(&pid);
                return;
            }
            Err(_) if is_child => return snapshot.unreadable.push(pid),
            // If it has not ended, it becomes a child of this process when its parent is killed.
            Err(_) => return,
        };
        if self.preexisting.processes.contains(&process.id()) {
            snapshot.children.remove(&pid);
            self.preexisting.children.insert(pid);
            return;
        }
        if !is_child && !seen.contains(&process.ppid) {
            // The pid was reused, or the process was given to another parent.
            snapshot.is_stable = false;
            return;
        }
        let id = process.id();
        let is_exempt = self.kills.is_exempt(id);
        if is_exempt {
            snapshot.children.remove(&pid);
        }
        if process.is_dead() {
            if is_child && !is_exempt {
                self.kills.note_zombie(id);
            }
            return;
        }
        let is_done = self.kills.is_done(id);
        // Again if a process that was not stopped yet has continued it.
        if self.stopped.insert(id) || !(process.cannot_fork() || is_done) {
            let _ = entry.signal(&process, libc::SIGSTOP);
            snapshot.is_stable = false;
        }
        snapshot.alive.push(process);
        // If they cannot be read, they become children of this process when it is killed.
        if let Ok(children) = table.find(&entry, pid, process.threads) {
            queue.extend(children);
        }
    }

    /// Kills children before their parents: the death of a parent may continue stopped children (`SIGHUP` and
    /// `SIGCONT` to orphaned process groups).
    fn kill_all(&mut self, snapshot: &Snapshot) {
        if snapshot.is_complete {
            self.kills.forget_denied();
        }
        let signal = self.kill_at_once();
        for process in snapshot.alive.iter().rev() {
            let sent = if snapshot.children.contains(&process.pid) {
                sys::kill(process.pid, signal)
            } else {
                process.signal(signal)
            };
            self.has_progressed |= self.kills.note(process.id(), sent);
        }
        for &pid in &snapshot.unreadable {
            // The pid is not reused before it is reaped, so that no start time is needed.
            self.has_progressed |= self.kills.note((pid, UNREADABLE), sys::kill(pid, signal));
        }
    }

    /// Kills all descendants at once, if the system can and none is to be left alone. Returns the signal for each of them:
    /// 0, which tells whether it could be killed, or else SIGKILL.
    fn kill_at_once(&self) -> i32 {
        let Preexisting {
            processes,
            children,
        } = &self.preexisting;
        if processes.is_empty() && children.is_empty() && sys::kill_descendants().is_ok() {
            0
        } else {
            libc::SIGKILL
        }
    }

    fn progress(&mut self, snapshot: &Snapshot) -> Progress {
        let denied = self.kills.denied();
        let is_exempt = |process: &Process| self.kills.is_exempt(process.id());
        let alive = snapshot.alive.iter().filter(|process| !is_exempt(process));
        let targets = alive.map(|process| process.pid);
        let mut targets = targets.chain(snapshot.unreadable.iter().copied());
        let has_targets = targets.any(|pid| !denied.contains(&pid));
        let has_children = snapshot.children.iter().any(|pid| !denied.contains(pid));
        if !has_targets && !has_children && snapshot.is_complete {
            return Progress::Gone;
        }
        // Killed processes may take a while to die. Other children are zombies that a tracer has to reap first, or
        // were not found.
        if has_targets {
            self.stuck_since = None;
            return Progress::Waiting;
        }
        self.has_progressed |= !snapshot.is_complete;
        let since = *self.stuck_since.get_or_insert_with(Instant::now);
        if since.elapsed() < SEARCH_TIMEOUT {
            return Progress::Waiting;
        }
        self.hidden = usize::from(!snapshot.is_complete && self.kills.denied().is_empty());
        Progress::Gone
    }
}
