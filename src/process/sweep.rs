// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the program left behind: found, stopped, killed.
//!
//! Without a cgroup, what holds the program's descendants together is that orphans come back to
//! their subreaper, so that each of them stays a descendant of this process whatever it does with
//! sessions and process groups. Each of those descendants is a child of this process, or has an
//! ancestor that is one. So all are gone when there is no child left: only `ECHILD` from the kernel
//! proves that.

use super::children::{Children, Look, OfOthers};
use super::proc_table::{Entry, Process};
use crate::process::reap;
use crate::sys;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::{Duration, Instant};

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left that can be killed.
    Gone,
    /// Some were killed and have to be waited for; call again.
    Waiting,
}

/// Rounds of stopping before killing all the same: a descendant that cannot be stopped (it is
/// traced, say) must not keep the others alive.
const MAX_STOP_ROUNDS: u32 = 20;

/// How long the sweep goes on while there are children but no process is found that could be killed.
const NOT_FOUND_TIMEOUT: Duration = Duration::from_secs(5);

/// A pid and when its process started: [`Process::name`].
type Name = (i32, u64);

/// The processes that are left, as one round of stopping found them.
#[derive(Debug, Default)]
struct Family {
    /// Children of this process, dead or alive.
    children: BTreeSet<i32>,
    /// Children whose `/proc/<pid>` cannot be read. They may be alive.
    unseen: Vec<i32>,
    /// Every live process, each after its parent.
    alive: Vec<Process>,
    /// Whether no new process was found, and all are stopped.
    settled: bool,
    /// Whether `children` is known to be complete.
    complete: bool,
}

/// Children that this process had before the program, and their descendants.
#[derive(Clone, Debug, Default)]
pub struct Strangers {
    names: BTreeSet<Name>,
    /// The children of this process among them that were not waited for.
    children: BTreeSet<i32>,
}

impl Strangers {
    fn note(&mut self, children: &mut Children) -> io::Result<()> {
        let Look { pids, complete } = children.own();
        if !complete {
            return Err(io::Error::other("they are not listed in /proc"));
        }
        self.children.extend(&pids);
        let lookup = children.of_others();
        let mut queue = VecDeque::from(pids);
        while let Some(pid) = queue.pop_front() {
            let Ok(entry) = Entry::open(pid) else {
                continue;
            };
            let Ok(process) = entry.stat() else { continue };
            if self.names.insert(process.name()) {
                queue.extend(
                    lookup
                        .find(&entry, pid, process.threads)
                        .unwrap_or_default(),
                );
            }
        }
        Ok(())
    }
}

/// The killing of all that a program left behind.
#[derive(Debug)]
pub struct Sweep {
    children: Children,
    /// The program's process group.
    group: i32,
    strangers: Strangers,
    stopped: BTreeSet<Name>,
    /// Children that were stopped without a look at them, and not waited for since.
    stopped_unseen: BTreeSet<i32>,
    /// When each of the killed started; 0 for children that could not be looked at.
    killed: BTreeMap<i32, u64>,
    count: usize,
    refused: BTreeSet<i32>,
    /// How many are left that were not found.
    lost: usize,
    stuck_since: Option<Instant>,
    has_news: bool,
}

impl Sweep {
    /// Opens what is needed to find processes, and notes which children this process has already: a process
    /// that becomes muontrap by exec may have some, which are left alone.
    pub fn prepare() -> io::Result<Self> {
        let mut sweep = Self::sparing(Strangers::default());
        if sys::has_children()? {
            sweep.strangers.note(&mut sweep.children)?;
        }
        Ok(sweep)
    }

    /// The same, where it is known which children this process had.
    pub fn sparing(strangers: Strangers) -> Self {
        Self {
            children: Children::open(),
            group: 0,
            strangers,
            stopped: BTreeSet::new(),
            stopped_unseen: BTreeSet::new(),
            killed: BTreeMap::new(),
            count: 0,
            refused: BTreeSet::new(),
            lost: 0,
            stuck_since: None,
            has_news: false,
        }
    }

    /// The processes that it leaves alone.
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Which process group, and so which pid, is the program's.
    pub fn expect_group(&mut self, group: i32) {
        self.group = group;
        self.children.expect_near(group);
    }

    /// A child was waited for.
    pub fn forget(&mut self, pid: i32) {
        self.strangers.children.remove(&pid);
        self.stopped_unseen.remove(&pid);
        self.killed.remove(&pid);
        // Its own children may have come to this process.
        self.children.expect_near(self.group);
    }

    /// Processes killed so far.
    pub fn killed(&self) -> usize {
        self.count
    }

    /// Processes that are alive because this process may not kill them.
    pub fn refused(&self) -> &BTreeSet<i32> {
        &self.refused
    }

    /// How many are alive besides, because they could not be found.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Whether the last step killed a process, or has more pids to try.
    pub fn has_news(&self) -> bool {
        self.has_news
    }

    /// Leaves these children alone, in place of those that it left alone before, and what is below them.
    pub fn spare(&mut self, children: BTreeSet<i32>) {
        self.strangers.children = children;
    }

    /// One step.
    pub fn step(&mut self) -> Progress {
        self.step_with(Self::reap)
    }

    /// One step, for who waits for children by itself and tells of each by [`Self::forget`].
    pub fn step_without_reaping(&mut self) -> Progress {
        self.step_with(|_| ())
    }

    fn step_with(&mut self, reap: fn(&mut Self)) -> Progress {
        self.has_news = false;
        if !cfg!(target_os = "linux") {
            // There are no subreapers elsewhere: what the group does not hold is lost already.
            let _ = sys::kill(-self.group, libc::SIGKILL);
        }
        let mut family = Family::default();
        for _ in 0..MAX_STOP_ROUNDS {
            reap(self);
            if matches!(sys::has_children(), Ok(false)) {
                self.refused.clear();
                return Progress::Gone;
            }
            family = self.stop_round();
            if family.settled {
                break;
            }
        }
        self.kill_all(&family);
        self.progress(&family)
    }

    /// Waits for the dead, so that there never are many of them.
    fn reap(&mut self) {
        let mut dead = Vec::new();
        // An error shows as children that are left.
        let _ = reap::collect(0, |pid| dead.push(pid));
        for pid in dead {
            self.forget(pid);
        }
    }

    /// Stops all that can be found, from the top down, so that none has children that it did not have
    /// when they were looked for.
    fn stop_round(&mut self) -> Family {
        let Look { pids, complete } = self.children.own();
        let mut family = Family {
            settled: true,
            complete,
            ..Family::default()
        };
        let strange = |pid: &i32| self.strangers.children.contains(pid);
        family.children = pids.into_iter().filter(|pid| !strange(pid)).collect();
        for &pid in &family.children {
            if self.stopped_unseen.insert(pid) {
                // The pid of a child is not reused. EPERM shows when it is to be killed.
                let _ = sys::kill(pid, libc::SIGSTOP);
                family.settled = false;
            }
        }
        let lookup = self.children.of_others();
        let mut queue: VecDeque<i32> = family.children.iter().copied().collect();
        let mut seen = BTreeSet::new();
        while let Some(pid) = queue.pop_front() {
            if seen.insert(pid) {
                self.stop_one(pid, &lookup, &mut family, &mut queue, &seen);
            }
        }
        family
    }

    fn stop_one(
        &mut self,
        pid: i32,
        lookup: &OfOthers,
        family: &mut Family,
        queue: &mut VecDeque<i32>,
        seen: &BTreeSet<i32>,
    ) {
        let is_child = family.children.contains(&pid);
        let looked = Entry::open(pid).and_then(|entry| entry.stat().map(|stat| (entry, stat)));
        let (entry, process) = match looked {
            Ok(looked) => looked,
            Err(_) if is_child => return family.unseen.push(pid),
            // A child of this process before long, if it is not gone.
            Err(_) => return,
        };
        if self.strangers.names.contains(&process.name()) {
            family.children.remove(&pid);
            self.strangers.children.insert(pid);
            return;
        }
        if !is_child && !seen.contains(&process.ppid) {
            // Another process has that pid by now, or the same has another parent.
            family.settled = false;
            return;
        }
        if process.is_dead() {
            return;
        }
        let name = process.name();
        let given_up = self.was_killed(name) || self.refused.contains(&pid);
        // More than once, if one that was not stopped yet woke it again.
        if self.stopped.insert(name) || !(process.is_still() || given_up) {
            let _ = entry.signal(&process, libc::SIGSTOP);
            family.settled = false;
        }
        family.alive.push(process);
        // Where they cannot be read, they become children of this process when it is killed.
        if let Ok(children) = lookup.find(&entry, pid, process.threads) {
            queue.extend(children);
        }
    }

    /// From the bottom up: the death of a parent might wake those below that are stopped.
    fn kill_all(&mut self, family: &Family) {
        if family.complete {
            self.refused.clear();
        }
        for process in family.alive.iter().rev() {
            let sent = if family.children.contains(&process.pid) {
                sys::kill(process.pid, libc::SIGKILL)
            } else {
                kill_named(process)
            };
            self.note_killed(process.name(), sent);
        }
        for &pid in &family.unseen {
            // As good as a name, until it was waited for.
            self.note_killed((pid, 0), sys::kill(pid, libc::SIGKILL));
        }
    }

    fn note_killed(&mut self, name: Name, sent: io::Result<()>) {
        match sent {
            Ok(()) if self.was_killed(name) => {}
            Ok(()) => {
                self.killed.insert(name.0, name.1);
                self.count += 1;
                self.has_news = true;
            }
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.refused.insert(name.0);
            }
            Err(_) => {}
        }
    }

    fn was_killed(&self, (pid, started): Name) -> bool {
        let known = self.killed.get(&pid);
        known.is_some_and(|&known| known == started || known == 0 || started == 0)
    }

    fn progress(&mut self, family: &Family) -> Progress {
        let refused = &self.refused;
        let targets = family.alive.iter().map(|process| process.pid);
        let mut targets = targets.chain(family.unseen.iter().copied());
        let has_targets = targets.any(|pid| !refused.contains(&pid));
        let has_children = family.children.iter().any(|pid| !refused.contains(pid));
        if !has_targets && !has_children && family.complete {
            return Progress::Gone;
        }
        // Processes that were killed may take a while to die. Children that are not among the targets are
        // zombies that another process traces, or were not found.
        if has_targets {
            self.stuck_since = None;
            return Progress::Waiting;
        }
        self.has_news |= !family.complete;
        let since = *self.stuck_since.get_or_insert_with(Instant::now);
        if since.elapsed() < NOT_FOUND_TIMEOUT {
            return Progress::Waiting;
        }
        self.lost = usize::from(!family.complete && self.refused.is_empty());
        Progress::Gone
    }
}

/// Kills a process that is no child of this one, if it is still there.
fn kill_named(process: &Process) -> io::Result<()> {
    let entry = Entry::open(process.pid)?;
    if entry.stat()?.started != process.started {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    entry.signal(process, libc::SIGKILL)
}
