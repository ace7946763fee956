// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Killing every process of a group, in steps that never wait.
//!
//! `cgroup.kill` (Linux 5.14) is atomic. Without it, processes are frozen first, so that none forks after it
//! was listed and before it gets its signal. Processes that a step misses are found by the next one.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::open::Group;
use super::tree;
use crate::cgroup::fs::is_gone;

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillStep {
    /// No process is left.
    Empty,
    /// Processes are still listed: they are exiting, were not signalled yet, or may not be killed by this user.
    Busy {
        /// How many; at least 1.
        remaining: usize,
    },
}

/// How to kill, and the index of the group whose file is written for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum Method {
    /// `cgroup.kill`.
    KillFile(usize),
    /// SIGKILL for each process of a frozen group, where `cgroup.kill` is missing.
    Freeze(usize),
    /// The same with the v1 freezer, where killed processes die only when they are thawed.
    FreezeAndThaw(usize),
    /// SIGKILL for each process.
    Signals,
}

impl Method {
    /// The strongest that these groups have.
    pub fn of(groups: &[Group]) -> Self {
        // This comes first, since such a freezer holds processes even against cgroup.kill.
        if let Some(index) = groups.iter().position(Group::holds_killed) {
            return Self::FreezeAndThaw(index);
        }
        let kill_file = |group: &Group| group.interface().kill.is_some();
        let index = groups.iter().position(kill_file);
        index.map_or(Self::Signals, Self::KillFile)
    }
}

/// How often processes are listed and signalled in one step. Each round meets only what was forked by those
/// that the last one missed.
const ROUNDS: usize = 32;

/// A process takes no longer to die after `cgroup.kill` was written, unless the kernel missed it. After this time,
/// one that may not be signalled counts as denied.
const KILL_FILE_TIMEOUT: Duration = Duration::from_secs(2);

/// The state between steps.
#[derive(Debug)]
pub(in crate::cgroup) struct Killer {
    pub method: Method,
    /// All processes that were signalled.
    pub killed: BTreeSet<i32>,
    /// How many this user may not signal, in the last step.
    pub denied: usize,
    is_frozen: bool,
    /// When `cgroup.kill` was first written.
    kill_file_written: Option<Instant>,
}

impl Killer {
    pub fn new(groups: &[Group]) -> Self {
        Self {
            method: Method::of(groups),
            killed: BTreeSet::new(),
            denied: 0,
            is_frozen: false,
            kill_file_written: None,
        }
    }

    pub fn step(&mut self, groups: &[Group]) -> io::Result<KillStep> {
        self.denied = 0;
        // Most programs leave no process behind, and then reading once is enough.
        if remaining(groups)? == 0 {
            self.kill_file_written = None;
            self.unfreeze(groups)?;
            return Ok(KillStep::Empty);
        }
        let done = match self.method {
            Method::KillFile(index) | Method::Freeze(index) => {
                self.kill_at_once(&groups[index])?;
                Some(index)
            }
            Method::FreezeAndThaw(index) => {
                self.kill_and_thaw(&groups[index])?;
                Some(index)
            }
            Method::Signals => None,
        };
        for (index, group) in groups.iter().enumerate() {
            if done != Some(index) {
                self.signal_all(group.dir())?;
            }
        }
        match remaining(groups)? {
            0 => self.unfreeze(groups).map(|()| KillStep::Empty),
            remaining => Ok(KillStep::Busy { remaining }),
        }
    }

    /// Kills by `cgroup.kill`; without it, freezes the group until it is empty, and signals each process.
    fn kill_at_once(&mut self, group: &Group) -> io::Result<()> {
        if is_populated(group)? == Some(false) {
            return Ok(());
        }
        let interface = group.interface();
        if let (Method::KillFile(index), Some(file)) = (self.method, interface.kill) {
            let members = tree::members(group.dir())?;
            match group.write(file, "1") {
                Ok(()) => {
                    self.killed.extend(members.pids);
                    return self.signal_missed(group.dir());
                }
                Err(error) if is_unavailable(&error) => self.method = Method::Freeze(index),
                Err(error) => return Err(error),
            }
        }
        let freezer = &interface.freezer;
        match group.write(freezer.file, freezer.freeze) {
            Ok(()) => self.is_frozen = true,
            Err(error) if is_unavailable(&error) => {}
            Err(error) => return Err(error),
        }
        self.signal_all(group.dir())
    }

    /// `cgroup.kill` misses a process whose first thread has ended (seen on Linux 7.2). So processes that are left
    /// after the first step get a signal.
    fn signal_missed(&mut self, group: BorrowedFd<'_>) -> io::Result<()> {
        let Some(written) = self.kill_file_written else {
            self.kill_file_written = Some(Instant::now());
            return Ok(());
        };
        self.signal_all(group)?;
        if written.elapsed() < KILL_FILE_TIMEOUT {
            self.denied = 0;
        }
        Ok(())
    }

    /// Undoes the freeze, so that the group can be used again.
    fn unfreeze(&mut self, groups: &[Group]) -> io::Result<()> {
        let (Method::Freeze(index), true) = (self.method, std::mem::take(&mut self.is_frozen))
        else {
            return Ok(());
        };
        let group = &groups[index];
        let freezer = &group.interface().freezer;
        match group.write(freezer.file, freezer.thaw) {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Thaws the group at the end of each step, and the groups below it too: the program may have frozen some.
    fn kill_and_thaw(&mut self, group: &Group) -> io::Result<()> {
        if tree::members(group.dir())?.count() == 0 {
            return Ok(());
        }
        let freezer = &group.interface().freezer;
        let frozen = group.write(freezer.file, freezer.freeze);
        let signalled = self.signal_all(group.dir());
        group.thaw()?;
        frozen.or_else(|error| {
            if is_unavailable(&error) {
                Ok(())
            } else {
                Err(error)
            }
        })?;
        signalled
    }

    /// Signals all processes, until no new one is listed.
    fn signal_all(&mut self, group: BorrowedFd<'_>) -> io::Result<()> {
        let mut seen = BTreeSet::new();
        for _ in 0..ROUNDS {
            let members = tree::members(group)?;
            let fresh: Vec<i32> = members
                .pids
                .into_iter()
                .filter(|&pid| seen.insert(pid))
                .collect();
            if fresh.is_empty() {
                self.denied = self.denied.max(members.foreign);
                return Ok(());
            }
            self.signal(&fresh)?;
        }
        Ok(())
    }

    fn signal(&mut self, pids: &[i32]) -> io::Result<()> {
        for &pid in pids {
            match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                Ok(()) => {
                    self.killed.insert(pid);
                }
                Err(Errno::ESRCH) => {}
                Err(Errno::EPERM) => self.denied += 1,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

/// Whether this kernel or this kind of group does not have the file, or this user may not write it.
fn is_unavailable(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    is_gone(error)
        || matches!(
            errno,
            Some(libc::EACCES | libc::EPERM | libc::EOPNOTSUPP | libc::EINVAL)
        )
}

/// Whether there is a live process in the group or below it; `None` on v1, which has no file for that.
fn is_populated(group: &Group) -> io::Result<Option<bool>> {
    let Some(flag) = &group.interface().populated else {
        return Ok(None);
    };
    match group.read(flag.file) {
        Ok(text) => Ok(Some(flag.is_set(&text))),
        Err(error) if is_gone(&error) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

/// How many processes the groups hold, each counted once.
pub(in crate::cgroup) fn remaining(groups: &[Group]) -> io::Result<usize> {
    let (mut pids, mut foreign, mut populated) = (BTreeSet::new(), 0, false);
    for group in groups {
        match is_populated(group)? {
            Some(false) => continue,
            // A process that is exiting may not be listed any more.
            Some(true) => populated = true,
            None => {}
        }
        let members = tree::members(group.dir())?;
        pids.extend(members.pids);
        foreign = foreign.max(members.foreign);
    }
    Ok((pids.len() + foreign).max(usize::from(populated)))
}
