// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Signals to the descendants of this process, which they may handle.

use super::children::Children;
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
    let table = Children::open().of_others();
    let children = |entry: &Entry, process: &Process| {
        let children = table.find(entry, process.pid, process.threads);
        children.unwrap_or_default()
    };
    let mut queue = VecDeque::from(children(entry, process));
    let mut any = false;
    while let Some(pid) = queue.pop_front() {
        let Ok(entry) = Entry::open(pid) else {
            continue;
        };
        let Ok(process) = entry.stat() else { continue };
        if !process.is_dead() {
            queue.extend(children(&entry, &process));
            any = true;
            let _ = entry.signal(&process, libc::SIGKILL);
        }
    }
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

/// Calls `each` for the live descendants, parents first, until it returns false.
fn walk(
    children: &mut Children,
    preexisting: &Preexisting,
    mut each: impl FnMut(&Process, &Entry) -> bool,
) {
    let own = children.list().pids;
    let table = children.of_others();
    let mut queue = VecDeque::from(own);
    let mut seen = BTreeSet::<ProcessId>::new();
    while let Some(pid) = queue.pop_front() {
        let Ok(entry) = Entry::open(pid) else {
            continue;
        };
        let Ok(process) = entry.stat() else { continue };
        if preexisting.processes.contains(&process.id()) || !seen.insert(process.id()) {
            continue;
        }
        if !process.is_dead() && !each(&process, &entry) {
            return;
        }
        let below = table.find(&entry, pid, process.threads);
        queue.extend(below.unwrap_or_default());
    }
}
