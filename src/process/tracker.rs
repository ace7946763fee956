// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The descendants of a program where orphans become children of init.
//!
//! They are found in the process table: by their parent while that lives, and by the process group or the session that
//! they began in. One that has left both is known only if the table was read before its parent died. So the table is
//! read again whenever a known process forks.

use super::preexisting::Preexisting;
use super::strangers::Strangers;
use crate::sys::{ForkWatch, Process, ProcessId};
use nix::unistd::{Pid, getpid, getsid};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Reads of the table in a row. Processes that fork without a pause must not keep this process busy.
const MAX_ROUNDS: u32 = 20;

/// How long an empty group is remembered. The table is not read at one moment: a process that forks and exits meanwhile
/// may be missed, and its child, too.
const GROUP_TIME: Duration = Duration::from_secs(10);

/// Any start time.
const UNKNOWN: u64 = 0;

#[derive(Debug)]
struct Leader {
    started: u64,
    /// When a member was last seen.
    seen: Instant,
}

impl Leader {
    fn new(started: u64) -> Self {
        let seen = Instant::now();
        Self { started, seen }
    }
}

/// The descendants of a program and the leaders of their groups, as far as its tracker has found them. Clones show the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Found(Rc<RefCell<Vec<ProcessId>>>);

impl Found {
    /// None, should it be changing at the moment.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        self.0.try_borrow().as_deref().cloned().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// The live descendants, by their pids.
    known: BTreeMap<i32, Process>,
    /// The leaders of their process groups, dead or alive. The kernel does not give the pid of one to another process as
    /// long as there is a member.
    leaders: BTreeMap<i32, Leader>,
    strangers: Strangers,
    watch: Option<ForkWatch>,
    /// Those that were found since they were last asked for.
    fresh: Vec<ProcessId>,
    found: Found,
}

impl Tracker {
    /// For a program that starts after this call, with a descriptor that tells of forks.
    pub(super) fn watching() -> io::Result<Self> {
        Ok(Self {
            strangers: Strangers::before_program(),
            watch: Some(ForkWatch::open()?),
            ..Self::default()
        })
    }

    pub(super) fn watch(&self) -> Option<&ForkWatch> {
        self.watch.as_ref()
    }

    /// What it has found, now and later.
    pub(super) fn found(&self) -> Found {
        self.found.clone()
    }

    /// Adds the program, which has just been started.
    pub(super) fn add_program(&mut self, pid: i32) {
        self.insert_or_lead((pid, UNKNOWN));
    }

    /// Adds a process of which a pid and maybe a start time is known, and what is left of its group.
    pub(super) fn add(&mut self, process: ProcessId) {
        self.strangers = Strangers::default();
        self.insert_or_lead(process);
    }

    fn insert_or_lead(&mut self, (pid, started): ProcessId) {
        let process = Process::find(pid).ok();
        match process {
            Some(process) if ![process.started, UNKNOWN].contains(&started) => {}
            Some(process) => {
                self.leaders.insert(pid, Leader::new(process.started));
                self.insert(process);
            }
            None => {
                self.leaders.insert(pid, Leader::new(started));
            }
        }
        self.show_found();
    }

    fn insert(&mut self, process: Process) {
        if let Some(watch) = &self.watch {
            // It may be gone already.
            let _ = watch.add(process.pid);
        }
        if self.known.insert(process.pid, process).is_none() {
            self.fresh.push(process.id());
        }
    }

    /// Reads the process table until there is nothing new in it.
    pub(super) fn update(&mut self, preexisting: &Preexisting) -> io::Result<()> {
        for _ in 0..MAX_ROUNDS {
            if !self.read_table(preexisting)? {
                break;
            }
        }
        Ok(())
    }

    /// Returns whether it has found another process.
    fn read_table(&mut self, preexisting: &Preexisting) -> io::Result<bool> {
        let own = getpid().as_raw();
        let table: BTreeMap<i32, Process> = self
            .strangers
            .read_others()?
            .into_iter()
            .filter(|process| ![own, 1].contains(&process.pid))
            .filter(|process| !preexisting.processes.contains(&process.id()))
            .map(|process| (process.pid, process))
            .collect();
        self.forget_gone(&table);
        let mut unknown: Vec<(Process, i32)> = table
            .values()
            .filter(|process| !self.known.contains_key(&process.pid))
            .map(|process| (*process, session_of(process.pid)))
            .collect();
        self.forget_empty_groups(&table, &unknown);
        let mut has_found = false;
        loop {
            let (found, rest): (Vec<_>, Vec<_>) =
                unknown.into_iter().partition(|it| self.is_descendant(it));
            if found.is_empty() {
                self.strangers
                    .note(rest.into_iter().map(|(process, _)| process.id()));
                self.show_found();
                return Ok(has_found);
            }
            has_found = true;
            for (process, _) in found {
                if process.group == process.pid {
                    self.leaders
                        .insert(process.pid, Leader::new(process.started));
                }
                self.insert(process);
            }
            unknown = rest;
        }
    }

    fn forget_gone(&mut self, table: &BTreeMap<i32, Process>) {
        self.known.retain(|pid, process| {
            let now = table.get(pid);
            now.is_some_and(|now| now.started == process.started)
        });
        for (pid, process) in &mut self.known {
            process.clone_from(&table[pid]);
            // It may have become one since it was found.
            if process.group == *pid {
                self.leaders.insert(*pid, Leader::new(process.started));
            }
        }
        self.leaders.retain(|pid, leader| {
            let now = table.get(pid);
            now.is_none_or(|now| [now.started, UNKNOWN].contains(&leader.started))
        });
    }

    /// The pids of their leaders may be given to others from now on.
    fn forget_empty_groups(&mut self, table: &BTreeMap<i32, Process>, unknown: &[(Process, i32)]) {
        let groups = table.values().map(|process| process.group);
        let sessions = unknown.iter().map(|(_, session)| *session);
        let used: BTreeSet<i32> = groups.chain(sessions).collect();
        self.leaders.retain(|pid, leader| {
            if used.contains(pid) {
                leader.seen = Instant::now();
            }
            leader.seen.elapsed() < GROUP_TIME
        });
    }

    fn show_found(&self) {
        let leaders = self.leaders.iter();
        let leaders = leaders.map(|(pid, leader)| (*pid, leader.started));
        let others = self.known.values().map(Process::id);
        let others = others.filter(|(pid, _)| !self.leaders.contains_key(pid));
        self.found.0.replace(leaders.chain(others).collect());
    }

    fn is_descendant(&self, (process, session): &(Process, i32)) -> bool {
        let parent = self.known.get(&process.ppid);
        parent.is_some_and(|parent| parent.started <= process.started)
            || self.leaders.contains_key(&process.group)
            || self.leaders.contains_key(session)
    }

    /// The live descendants that are known.
    pub(super) fn known(&self) -> impl Iterator<Item = &Process> {
        self.known.values()
    }

    pub(super) fn knows(&self, process: &Process) -> bool {
        let known = self.known.get(&process.pid);
        known.is_some_and(|known| known.started == process.started)
            || self.leaders.contains_key(&process.group)
    }

    /// Those that were found since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<ProcessId> {
        std::mem::take(&mut self.fresh)
    }
}

/// 0 for a process that has ended.
fn session_of(pid: i32) -> i32 {
    getsid(Some(Pid::from_raw(pid))).map_or(0, Pid::as_raw)
}
