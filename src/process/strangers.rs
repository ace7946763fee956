// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes that are not descendants of a program, and never will be.
//!
//! The process table may have hundreds of them, and sessions read it often. So only their pids are read again.

use crate::sys::{Process, ProcessId, ProcessList};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// How long they are remembered. A pid is given to another process only after all others were, which takes longer.
const MEMORY_TIME: Duration = Duration::from_secs(1);

/// A start time that was not read.
const UNKNOWN: u64 = 0;

/// The strangers to a program.
#[derive(Debug)]
pub(super) struct Strangers {
    /// In the order of their pids.
    known: Vec<ProcessId>,
    /// Processes that were not known as descendants when the table was last read, by their pids, with their start times. The
    /// table is not read at one moment, so that a parent may have been missed which has been found since.
    candidates: BTreeMap<i32, u64>,
    since: Instant,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            known: Vec::new(),
            candidates: BTreeMap::new(),
            since: Instant::now(),
        }
    }
}

impl Strangers {
    /// All processes, for a program that starts after this call.
    pub(super) fn before_program() -> Self {
        let mut strangers = Self::default();
        let pids = sorted_pids().unwrap_or_default().into_iter();
        strangers.known = pids.map(|pid| (pid, UNKNOWN)).collect();
        strangers
    }

    /// Reads about all other live processes.
    pub(super) fn read_others(&mut self) -> io::Result<Vec<Process>> {
        if self.since.elapsed() >= MEMORY_TIME {
            self.candidates.extend(self.known.drain(..));
            self.since = Instant::now();
        }
        let mut others = Vec::new();
        let mut strangers = std::mem::take(&mut self.known).into_iter().peekable();
        for pid in sorted_pids()? {
            while strangers.next_if(|(stranger, _)| *stranger < pid).is_some() {}
            if let Some(stranger) = strangers.next_if(|(stranger, _)| *stranger == pid) {
                self.known.push(stranger);
                continue;
            }
            match Process::find(pid) {
                Ok(process) if process.is_dead() => {
                    self.known.push(process.id());
                }
                Ok(process) => others.push(process),
                // It has ended.
                Err(_) => {}
            }
        }
        Ok(others)
    }

    /// Records which of the others are not known as descendants. They are strangers from the second time on: all ancestors
    /// that they had at the first time, and that are alive, are in the table that was read at the second.
    pub(super) fn note(&mut self, unknown: impl Iterator<Item = ProcessId>) {
        let before = std::mem::take(&mut self.candidates);
        for (pid, started) in unknown {
            if before.get(&pid) == Some(&started) {
                self.known.push((pid, started));
            } else {
                self.candidates.insert(pid, started);
            }
        }
        self.known.sort_unstable();
    }
}

fn sorted_pids() -> io::Result<Vec<i32>> {
    let mut pids = ProcessList::open()?.pids()?;
    pids.sort_unstable();
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn sleep() -> (Child, i32) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id().try_into().unwrap();
        (child, pid)
    }

    fn reads(strangers: &mut Strangers, pid: i32) -> bool {
        let others = strangers.read_others().unwrap();
        strangers.note(others.iter().map(Process::id));
        others.iter().any(|process| process.pid == pid)
    }

    /// They are not forgotten, however long the test takes.
    fn remembering(strangers: Strangers) -> Strangers {
        Strangers {
            since: Instant::now() + Duration::from_secs(3600),
            ..strangers
        }
    }

    #[test]
    fn a_stranger_is_read_twice_until_it_is_forgotten() {
        let (mut child, pid) = sleep();
        let mut strangers = remembering(Strangers::default());
        assert!(reads(&mut strangers, pid));
        assert!(reads(&mut strangers, pid));
        assert!(!reads(&mut strangers, pid));
        strangers.since = Instant::now().checked_sub(MEMORY_TIME).unwrap();
        assert!(reads(&mut strangers, pid));
        let mut strangers = remembering(strangers);
        assert!(!reads(&mut strangers, pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn those_from_before_the_program_are_not_read() {
        let (mut before, old) = sleep();
        let mut strangers = remembering(Strangers::before_program());
        let (mut after, new) = sleep();
        assert!(!reads(&mut strangers, old));
        assert!(reads(&mut strangers, new));
        for child in [&mut before, &mut after] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
