// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Signals to the descendants of this process, which they may handle.

use super::children::{ChildTable, Children};
use super::preexisting::Preexisting;
use crate::sys::{self, Entry, Process, ProcessId};
use std::collections::{BTreeSet, VecDeque};

/// Rounds of a walk. Processes that fork without a pause must not keep this process busy.
const MAX_ROUNDS: u32 = 20;

/// Generations to search for an ancestor.
const MAX_DEPTH: u32 = 1000;

/// A signal that each descendant gets once, or each in the process group `group`.
#[derive(Debug)]
pub struct Signal {
    number: i32,
    group: Option<i32>,
    walk: Walk,
}

impl Signal {
    pub fn new(number: i32, group: Option<i32>) -> Self {
        Self {
            number,
            group,
            walk: Walk::default(),
        }
    }
}

/// Sends a signal to those that did not get it before. Returns whether to call this again, after the dead were reaped.
///
/// A process gets it before its children are listed, so that one that it forks before it handles the signal is found.
/// The children of one that dies of it become children of this process, which the next round finds.
pub fn signal(children: &mut Children, preexisting: &Preexisting, signal: &mut Signal) -> bool {
    let Signal {
        number,
        group,
        walk,
    } = signal;
    walk.go_on(own(children), preexisting, |process, entry| {
        if group.is_none_or(|group| process.group == group) {
            // EPERM, when it has become another user's.
            let _ = entry.signal(process, *number);
        }
        true
    })
}

/// Whether a descendant is alive, or one in the process group `group`.
pub fn are_left(children: &mut Children, preexisting: &Preexisting, group: Option<i32>) -> bool {
    let has_children = sys::has_children().unwrap_or(true);
    // The children of a dead process become children of this one, so each live descendant is below a live child.
    if !has_children || group.is_none() && preexisting.processes.is_empty() {
        return has_children;
    }
    let mut found = false;
    walk_below(own(children), preexisting, |process, _| {
        found |= group.is_none_or(|group| process.group == group);
        !found
    });
    found
}

/// Kills the descendants of another process, and returns whether there were any. It is their subreaper, so all of them are
/// found while it lives.
pub fn kill_descendants_of(entry: &Entry, process: &Process) -> bool {
    let mut own = Children::open();
    let list = || {
        let table = own.of_others();
        let pids = table.find(entry, process.pid, process.threads);
        (pids.unwrap_or_default(), table)
    };
    let mut any = false;
    walk_below(list, &Preexisting::default(), |process, entry| {
        any = true;
        let _ = entry.signal(process, libc::SIGKILL);
        true
    });
    any
}

/// Whether the process `pid` is a descendant of this process and none of the preexisting ones.
pub fn contain(preexisting: &Preexisting, mut pid: i32) -> bool {
    let own = nix::unistd::getpid().as_raw();
    for _ in 0..MAX_DEPTH {
        let process = Entry::open(pid).and_then(|entry| entry.stat());
        match process {
            Ok(process) if preexisting.processes.contains(&process.id()) => return false,
            Ok(process) if process.ppid == own => return true,
            Ok(process) => pid = process.ppid,
            Err(_) => return false,
        }
    }
    false
}

/// Lists the children of this process.
fn own(children: &mut Children) -> impl FnMut() -> (Vec<i32>, ChildTable) {
    || {
        let pids = children.list().pids;
        (pids, children.of_others())
    }
}

/// Calls `each` for the live descendants of a subreaper, whose children `list` returns, once for each and parents first,
/// until it returns false.
fn walk_below(
    mut list: impl FnMut() -> (Vec<i32>, ChildTable),
    preexisting: &Preexisting,
    mut each: impl FnMut(&Process, &Entry) -> bool,
) {
    let mut walk = Walk::default();
    while walk.go_on(&mut list, preexisting, &mut each) {}
}

/// Rounds through the descendants of a subreaper.
///
/// The children of a process that dies meanwhile may not have been listed as its children, and become children of the
/// subreaper, maybe after these were listed. So there is another round while new processes are found.
#[derive(Debug, Default)]
struct Walk {
    rounds: u32,
    known: BTreeSet<ProcessId>,
}

impl Walk {
    /// Goes one round, and returns whether to go another one.
    fn go_on(
        &mut self,
        list: impl FnOnce() -> (Vec<i32>, ChildTable),
        preexisting: &Preexisting,
        mut each: impl FnMut(&Process, &Entry) -> bool,
    ) -> bool {
        self.rounds += 1;
        let (pids, table) = list();
        let mut queue = VecDeque::from(pids);
        let mut seen = BTreeSet::new();
        let mut has_new = false;
        while let Some(pid) = queue.pop_front() {
            let process = Entry::open(pid).and_then(|entry| Ok((entry.stat()?, entry)));
            let Ok((process, entry)) = process else {
                has_new = true;
                continue;
            };
            let id = process.id();
            if preexisting.processes.contains(&id) || !seen.insert(id) {
                continue;
            }
            let is_new = self.known.insert(id);
            has_new |= is_new;
            if is_new && !process.is_dead() && !each(&process, &entry) {
                return false;
            }
            let below = table.find(&entry, pid, process.threads);
            queue.extend(below.unwrap_or_default());
        }
        has_new && self.rounds < MAX_ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    #[test]
    fn the_children_of_one_that_has_died_meanwhile_are_found() {
        let mut parent = Command::new("sh")
            .args(["-c", "sleep 1000 >/dev/null & echo $!"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = String::new();
        // Until the shell is dead.
        let mut stdout = parent.stdout.take().unwrap();
        stdout.read_to_string(&mut output).unwrap();
        let child = output.trim().parse().unwrap();
        let parent_pid = i32::try_from(parent.id()).unwrap();
        let mut lists = vec![vec![parent_pid, child], vec![parent_pid]];
        let list = || {
            let pids = lists.pop().unwrap_or_default();
            (pids, Children::open().of_others())
        };
        let mut found = Vec::new();
        walk_below(list, &Preexisting::default(), |process, _| {
            found.push(process.pid);
            true
        });
        kill(Pid::from_raw(child), Signal::SIGKILL).unwrap();
        parent.wait().unwrap();
        assert_eq!(found.last(), Some(&child));
    }

    #[test]
    fn a_walk_ends_though_each_round_finds_that_one_has_died() {
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let pid = i32::try_from(dead.id()).unwrap();
        let mut rounds = 0;
        let list = || {
            rounds += 1;
            (vec![pid], Children::open().of_others())
        };
        walk_below(list, &Preexisting::default(), |_, _| true);
        assert!((1..=MAX_ROUNDS).contains(&rounds));
    }
}
