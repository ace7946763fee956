// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A set of processes.

use crate::sys::{Process, ProcessId};
use nix::unistd::getpid;
use std::collections::BTreeMap;

/// The start time of a child that could not be read. Its pid is not reused before it is reaped.
pub const UNREADABLE: u64 = 0;

/// Pids with the start times of their processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessIds(BTreeMap<i32, u64>);

impl ProcessIds {
    /// Returns whether it is new.
    pub fn insert(&mut self, id: ProcessId) -> bool {
        let is_new = !self.contains(id);
        self.0.insert(id.0, id.1);
        is_new
    }

    pub fn contains(&self, (pid, started): ProcessId) -> bool {
        let known = self.0.get(&pid);
        known.is_some_and(|&known| known == started || [known, started].contains(&UNREADABLE))
    }

    /// A child was reaped. Returns whether it was among them.
    pub fn forget(&mut self, pid: i32) -> bool {
        self.0.remove(&pid).is_some()
    }

    /// Removes those that are gone. Returns whether there were any.
    pub fn forget_gone(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|&pid, &mut started| is_left(pid, started));
        self.0.len() < before
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = ProcessId> {
        self.0.iter().map(|(&pid, &started)| (pid, started))
    }
}

impl Extend<ProcessId> for ProcessIds {
    fn extend<T: IntoIterator<Item = ProcessId>>(&mut self, ids: T) {
        self.0.extend(ids);
    }
}

/// Whether it is alive, or a zombie that this process has to reap.
fn is_left(pid: i32, started: u64) -> bool {
    if started == UNREADABLE {
        return true;
    }
    match Process::find(pid) {
        Ok(process) => {
            let is_child = process.ppid == getpid().as_raw();
            process.started == started && (is_child || !process.is_dead())
        }
        // After any other error, for want of descriptors, that is unknown.
        Err(error) => !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_known_until_it_is_gone() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let id = Process::find(pid).unwrap().id();
        let mut ids = ProcessIds::default();
        assert!(ids.insert(id) && !ids.insert(id));
        assert!(ids.contains(id) && ids.contains((pid, UNREADABLE)) && !ids.contains((pid, 1)));
        assert!(!ids.forget_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ids.forget_gone() && ids.is_empty());
        ids.insert((pid, UNREADABLE));
        assert!(!ids.forget_gone());
        assert_eq!(ids.len(), 1);
        ids.forget(pid);
        assert!(ids.is_empty());
    }
}
