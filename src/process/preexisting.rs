// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes below this one that have nothing to do with the program.

use super::children::{Children, Listing};
use crate::sys::{Entry, Process, ProcessId};
use std::collections::{BTreeSet, VecDeque};
use std::io;

/// Children that this process had before it started the program, and their descendants. It has some when it was
/// exec'ed by a process that had.
#[derive(Clone, Debug, Default)]
pub struct Preexisting {
    pub(super) processes: BTreeSet<ProcessId>,
    /// The children of this process among them, until they are reaped.
    pub(super) children: BTreeSet<i32>,
}

impl Preexisting {
    /// Finds them.
    pub(super) fn find(&mut self, children: &mut Children) -> io::Result<()> {
        let Listing { pids, is_complete } = children.list();
        if !is_complete {
            return Err(io::Error::other("they are not listed in /proc"));
        }
        self.children.extend(&pids);
        let table = children.of_others();
        let mut queue = VecDeque::from(pids);
        while let Some(pid) = queue.pop_front() {
            let Ok(entry) = Entry::open(pid) else {
                continue;
            };
            let Ok(process) = entry.stat() else { continue };
            if self.processes.insert(process.id()) {
                let children = table.find(&entry, pid, process.threads);
                queue.extend(children.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Finds those among the children of this process that have become its children since.
    #[cfg_attr(any(target_os = "macos", feature = "portable"), allow(dead_code))]
    pub(super) fn adopt(&mut self, children: &[i32]) {
        for &pid in children {
            let mut same_pid = self.processes.range((pid, 0)..=(pid, u64::MAX));
            let is_possible = same_pid.next().is_some() && !self.children.contains(&pid);
            let process = is_possible.then(|| Process::find(pid).ok()).flatten();
            if process.is_some_and(|process| self.processes.contains(&process.id())) {
                self.children.insert(pid);
            }
        }
    }
}
