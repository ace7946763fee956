// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Signals to the descendants of this process, which they may handle.

use super::children::{ChildTable, Children};
use super::preexisting::Preexisting;
use crate::sys::{self, Entry, Process, ProcessId};
use std::collections::{BTreeSet, VecDeque};

/// Walks of the tree. Processes that fork without a pause must not keep this process busy.
const MAX_ROUNDS: u32 = 20;

/// Generations to search for an ancestor.
const MAX_DEPTH: u32 = 1000;

/// Sends `signal` once to each descendant, or to those in the process group `group`.
///
/// A process gets it before its children are listed, so that one that it forks before it handles the signal is found.
/// The children of one that dies of it become children of this process, which the next walk finds.
pub fn signal(children: &mut Children, preexisting: &Preexisting, group: Option<i32>, signal: i32) {
    let mut signaled = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let before = signaled.len();
        walk(children, preexisting, |process, entry| {
            let is_meant = group.is_none_or(|group| process.group == group);
            if is_meant && signaled.insert(process.id()) {
                // EPERM, when it has become another user's.
                let _ = entry.signal(process, signal);
            }
            true
        });
        if signaled.len() == before {
            break;
        }
    }
}

/// Whether a descendant is alive, or one in the process group `group`.
pub fn are_left(children: &mut Children, preexisting: &Preexisting, group: Option<i32>) -> bool {
    let has_children = sys::has_children().unwrap_or(true);
    // The children of a dead process become children of this one, so each live descendant is below a live child.
    if !has_children || group.is_none() && preexisting.processes.is_empty() {
        return has_children;
    }
    let mut found = false;
    walk(children, preexisting, |process, _| {
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

/// Calls `each` for the live descendants of this process, parents first, until it returns false.
fn walk(
    children: &mut Children,
    preexisting: &Preexisting,
    each: impl FnMut(&Process, &Entry) -> bool,
) {
    let list = || {
        let pids = children.list().pids;
        (pids, children.of_others())
    };
    walk_below(list, preexisting, each);
}

/// Calls `each` for the live descendants of a subreaper, whose children `list` returns.
///
/// The children of a process that dies meanwhile may not have been listed as its children, and become children of the
/// subreaper, maybe after these were listed. So all are listed again while such processes are found.
fn walk_below(
    mut list: impl FnMut() -> (Vec<i32>, ChildTable),
    preexisting: &Preexisting,
    mut each: impl FnMut(&Process, &Entry) -> bool,
) {
    let mut seen = BTreeSet::<ProcessId>::new();
    for _ in 0..MAX_ROUNDS {
        let (pids, table) = list();
        let mut queue = VecDeque::from(pids);
        let mut has_died = false;
        while let Some(pid) = queue.pop_front() {
            let process = Entry::open(pid).and_then(|entry| Ok((entry.stat()?, entry)));
            let Ok((process, entry)) = process else {
                has_died = true;
                continue;
            };
            if preexisting.processes.contains(&process.id()) || !seen.insert(process.id()) {
                continue;
            }
            if !process.is_dead() && !each(&process, &entry) {
                return;
            }
            let below = table.find(&entry, pid, process.threads);
            let below = below.unwrap_or_default();
            has_died |= below.is_empty() && entry.stat().map_or(true, |now| now.is_dead());
            queue.extend(below);
        }
        if !has_died {
            break;
        }
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
}
