// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a sweep has killed, and what it could not kill.

use super::process_ids::ProcessIds;
use crate::sys::{Process, ProcessId};
use std::collections::BTreeSet;
use std::io;

#[derive(Debug, Default)]
pub struct Kills {
    /// Killed and not reaped yet. With zombies among the children, which a tracer may have to reap first.
    dying: ProcessIds,
    count: usize,
    denied: BTreeSet<i32>,
    /// Those that the sweep does not wait for.
    exempt: ProcessIds,
}

/// What a sweep did since it was last asked.
#[derive(Debug)]
pub struct Done {
    /// Killed and not reaped yet, zombies included.
    pub dying: ProcessIds,
    /// How many were killed.
    pub count: usize,
    /// Those that this process lacks the permission to kill.
    pub denied: ProcessIds,
}

impl Kills {
    /// Records the result of a SIGKILL. Returns whether the process was not killed before.
    pub(super) fn note(&mut self, id: ProcessId, sent: io::Result<()>) -> bool {
        if self.dying.contains(id) || self.is_exempt(id) {
            return false;
        }
        match sent {
            Ok(()) => {
                self.count += 1;
                self.dying.insert(id);
                return true;
            }
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.denied.insert(id.0);
            }
            Err(_) => {}
        }
        false
    }

    /// Records a child that had died before it was killed.
    #[cfg_attr(any(target_os = "macos", feature = "portable"), allow(dead_code))]
    pub(super) fn note_zombie(&mut self, id: ProcessId) {
        self.dying.insert(id);
    }

    /// A child was reaped.
    pub(super) fn forget(&mut self, pid: i32) {
        self.dying.forget(pid);
        self.exempt.forget(pid);
    }

    /// Before processes that may not be killed are found once more.
    pub(super) fn forget_denied(&mut self) {
        self.denied.clear();
    }

    /// Whether it was killed, or need not or may not be.
    pub(super) fn is_done(&self, id: ProcessId) -> bool {
        self.dying.contains(id) || self.is_exempt(id) || self.denied.contains(&id.0)
    }

    pub(super) fn is_exempt(&self, id: ProcessId) -> bool {
        self.exempt.contains(id)
    }

    /// How many were killed.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Processes that are alive because this process lacks the permission to kill them.
    pub fn denied(&self) -> &BTreeSet<i32> {
        &self.denied
    }

    /// Sets the processes that the sweep does not wait for, in place of those of the last call. They were killed, or may
    /// not be. Their descendants are killed like all others.
    pub fn exempt(&mut self, processes: ProcessIds) {
        self.exempt = processes;
    }

    /// What was done since the last call. The sweep forgets it, so these processes should be exempt from now on.
    pub fn take(&mut self) -> Done {
        let mut denied = ProcessIds::default();
        denied.extend(self.identify_denied());
        self.denied.clear();
        Done {
            dying: std::mem::take(&mut self.dying),
            count: std::mem::take(&mut self.count),
            denied,
        }
    }

    /// Whether there may be some that [`Self::left`] returns.
    pub fn have_left(&self) -> bool {
        !self.dying.is_empty() || !self.denied.is_empty()
    }

    /// The processes that are left although the sweep has found them.
    pub fn left(&self) -> ProcessIds {
        let mut left = self.dying.clone();
        left.extend(self.identify_denied());
        left.forget_gone();
        left
    }

    fn identify_denied(&self) -> impl Iterator<Item = ProcessId> {
        let processes = self
            .denied
            .iter()
            .filter_map(|&pid| Process::find(pid).ok());
        processes.map(|process| process.id())
    }
}
