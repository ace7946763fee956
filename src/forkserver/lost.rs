// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Sessions that were killed, until nothing is left of them.
//!
//! What they left are children of the fork server, among those that others left. What was found before a session was lost is
//! another's, and may take for ever to die: the session does not wait for it. Sessions that are lost at the same time wait for
//! each other.

use super::control::Ended;
use crate::cgroup::Request;
use crate::process::backoff::Backoff;
use crate::process::preexisting::Preexisting;
use crate::process::process_ids::ProcessIds;
use crate::process::sweep::{Progress, Sweep};
use crate::sys::ProcessId;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Between two steps of a sweep.
const INTERVAL: Duration = Duration::from_millis(5);

/// A session that was killed, and may have left something.
#[derive(Debug)]
pub struct Lost {
    pub ended: Ended,
    pub watched: bool,
    pub deadline: Option<Instant>,
    pub group: Option<Request>,
    /// What it has said that it has started.
    pub processes: Vec<ProcessId>,
    /// Whether all that is left of it is killed, or may not be.
    is_swept: bool,
    /// What was killed and is not gone.
    dying: ProcessIds,
    /// The process that removes its group.
    cleaner: Option<i32>,
}

impl Lost {
    pub fn new(ended: Ended, group: Option<Request>, processes: Vec<ProcessId>) -> Self {
        Self {
            ended,
            watched: false,
            deadline: None,
            group,
            processes,
            is_swept: false,
            dying: ProcessIds::default(),
            cleaner: None,
        }
    }

    /// Removes processes that are gone, by calling `gone`. Once none is left, another sweep is due: a process that could
    /// not be found before may have become a child of this one.
    fn forget(&mut self, gone: impl FnOnce(&mut ProcessIds) -> bool) -> bool {
        let has_changed = gone(&mut self.dying);
        self.is_swept &= !has_changed || !self.dying.is_empty();
        has_changed
    }

    fn is_over(&self) -> bool {
        let is_killed = self.is_swept && self.dying.is_empty();
        is_killed && self.group.is_none() && self.cleaner.is_none()
    }

    /// Whether it is to be reported although something is left.
    fn is_late(&self, now: Instant) -> bool {
        self.watched && self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// All lost sessions.
#[derive(Debug, Default)]
pub struct LostSessions {
    lost: Vec<Lost>,
    sweep: Option<Sweep>,
    /// What was left by sessions that are reported: processes that are dying or may not be killed.
    survivors: ProcessIds,
    backoff: Backoff,
}

impl LostSessions {
    pub fn add(&mut self, lost: Lost) {
        self.backoff.reset();
        self.lost.push(lost);
    }

    pub fn are_gone(&self) -> bool {
        self.lost.is_empty()
    }

    pub fn find(&mut self, is_it: impl Fn(&Ended) -> bool) -> Option<&mut Lost> {
        self.lost.iter_mut().find(|lost| is_it(&lost.ended))
    }

    /// Adds processes that a session has left although it tried to kill them.
    pub fn add_survivors(&mut self, processes: Vec<ProcessId>) {
        self.survivors.forget_gone();
        self.survivors.extend(processes);
    }

    /// The pids of cleaners, and of processes that sessions have left.
    pub fn pids(&mut self) -> BTreeSet<i32> {
        self.survivors.forget_gone();
        let dying = self.lost.iter().flat_map(|lost| lost.dying.iter());
        let left = dying.chain(self.survivors.iter()).map(|(pid, _)| pid);
        left.chain(self.cleaners()).collect()
    }

    fn cleaners(&self) -> impl Iterator<Item = i32> {
        self.lost.iter().filter_map(|lost| lost.cleaner)
    }

    /// A child was reaped.
    pub fn note_reaped(&mut self, pid: i32) {
        if let Some(sweep) = &mut self.sweep {
            sweep.note_reaped(pid);
        }
        self.survivors.forget(pid);
        for lost in &mut self.lost {
            if lost.cleaner == Some(pid) {
                lost.cleaner = None;
            }
            lost.forget(|dying| dying.forget(pid));
        }
        self.backoff.reset();
    }

    /// The index of a lost session whose group no cleaner removes yet, and the group.
    pub fn next_group(&mut self) -> Option<(usize, Request)> {
        let mut lost = self.lost.iter_mut().enumerate();
        lost.find_map(|(index, lost)| Some((index, lost.group.take()?)))
    }

    /// Keeps the group for later, after a cleaner could not be forked.
    pub fn put_group_back(&mut self, index: usize, group: Request) {
        self.lost[index].group = Some(group);
    }

    /// Records which process removes the group of the lost session at this index.
    pub fn set_cleaner(&mut self, index: usize, pid: i32) {
        self.lost[index].cleaner = Some(pid);
    }

    /// Whether a sweep is going on.
    pub fn are_sweeping(&self) -> bool {
        self.lost.iter().any(|lost| !lost.is_swept)
    }

    /// The time until the next call of [`Self::sweep`], if no child dies before.
    pub fn interval(&self) -> Option<Duration> {
        if self.are_sweeping() {
            return Some(INTERVAL);
        }
        let is_waiting = self.lost.iter().any(|lost| !lost.dying.is_empty());
        is_waiting.then(|| self.backoff.remaining())
    }

    /// Does one step of killing what lost sessions left: all descendants of this process but `others` and those below
    /// them. Call it after all deaths of sessions were recorded. Returns how many were killed by the steps before.
    pub fn sweep(&mut self, others: impl Iterator<Item = i32>) -> usize {
        self.check_dying();
        if !self.are_sweeping() {
            return 0;
        }
        let spared = others.chain(self.cleaners()).collect();
        let new = || Sweep::sparing(Preexisting::default());
        let sweep = self.sweep.get_or_insert_with(new);
        // What the steps before have found was left by the sessions that are lost by now, and by none that is lost later.
        let done = sweep.kills_mut().take();
        for lost in self.lost.iter_mut().filter(|lost| !lost.is_swept) {
            sweep.add(&std::mem::take(&mut lost.processes));
            lost.ended.swept += done.count;
            lost.ended.survivors += done.denied.len();
            lost.dying.extend(done.dying.iter());
        }
        if !done.dying.is_empty() {
            self.backoff.reset();
        }
        self.survivors.extend(done.denied.iter());
        let mut exempt = self.survivors.clone();
        for lost in &self.lost {
            exempt.extend(lost.dying.iter());
        }
        sweep.spare(spared);
        sweep.kills_mut().exempt(exempt);
        let is_gone = sweep.step_without_reaping() == Progress::Gone;
        // Whose these are is known after the next deaths.
        if is_gone && sweep.kills().denied().is_empty() {
            let hidden = sweep.hidden();
            self.sweep = None;
            for lost in self.lost.iter_mut().filter(|lost| !lost.is_swept) {
                lost.is_swept = true;
                lost.ended.survivors += hidden;
            }
        }
        done.count
    }

    /// Finds out which of the killed processes are gone: not all of them are children.
    fn check_dying(&mut self) {
        if self.backoff.is_due() {
            let mut has_changed = false;
            for lost in &mut self.lost {
                has_changed |= lost.forget(ProcessIds::forget_gone);
            }
            self.backoff.schedule(has_changed);
        }
    }

    /// Removes lost sessions of which nothing is left.
    pub fn settle(&mut self, mut report: impl FnMut(&Lost)) {
        self.lost.retain(|lost| {
            let is_over = lost.is_over();
            if is_over {
                report(lost);
            }
            !is_over
        });
    }

    /// Reports those whose processes are still there at their deadlines. Returns the next deadline.
    pub fn expire(&mut self, now: Instant, mut report: impl FnMut(&Ended)) -> Option<Instant> {
        for lost in self.lost.iter_mut().filter(|lost| lost.is_late(now)) {
            lost.watched = false;
            let left = lost.ended.survivors + lost.dying.len();
            let survivors = left.max(1);
            report(&Ended {
                survivors,
                ..lost.ended
            });
        }
        let watched = self.lost.iter().filter(|lost| lost.watched);
        watched.filter_map(|lost| lost.deadline).min()
    }
}
