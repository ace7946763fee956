// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Killing every process of a group, without ever waiting.
//!
//! The kernel's own `cgroup.kill` (Linux 5.14) is atomic. Without it processes are frozen first, so
//! that none forks between the listing and its signal; and whatever the means, the next step finds
//! who was missed, and sends signals.

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

/// How far the killing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillStep {
    /// No process is left.
    Empty,
    /// These are still listed: on their way out, not yet signalled, or not to be killed by us.
    Busy {
        /// How many; at least 1.
        remaining: usize,
    },
}

/// The strongest means at hand, and the group that has it, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum Method {
    /// `cgroup.kill` on v2.
    KillFile(usize),
    /// `cgroup.freeze` on v2, before Linux 5.14.
    Freeze(usize),
    /// `freezer.state` on v1.
    Freezer(usize),
    /// Signals alone.
    Signals,
}

impl Method {
    /// What the groups offer.
    pub fn of(groups: &[Group]) -> Self {
        let freezer = |group: &Group| group.has("freezer");
        // A task that the v1 freezer holds does not even die by cgroup.kill: so the freezer first.
        if let Some(index) = groups.iter().position(freezer) {
            return Self::Freezer(index);
        }
        let unified = groups.iter().position(Group::is_v2);
        unified.map_or(Self::Signals, Self::KillFile)
    }
}

/// A tree of forking processes is listed and signalled this often in one step. Each round meets
/// only the children of those that the last one missed.
const ROUNDS: usize = 32;

/// What `cgroup.kill` was written for takes no longer to die, unless the kernel passed it over. Then
/// it counts whether it may be signalled.
const KILL_FILE_TIME: Duration = Duration::from_secs(2);

/// The state of a killing.
#[derive(Debug)]
pub(in crate::cgroup) struct Killer {
    pub method: Method,
    /// All that were signalled, each counted once.
    pub killed: BTreeSet<i32>,
    /// How many we were not permitted to signal in the last step.
    pub denied: usize,
    froze: bool,
    /// When `cgroup.kill` was first written.
    kill_file_written: Option<Instant>,
}

impl Killer {
    pub fn new(groups: &[Group]) -> Self {
        Self {
            method: Method::of(groups),
            killed: BTreeSet::new(),
            denied: 0,
            froze: false,
            kill_file_written: None,
        }
    }

    pub fn step(&mut self, groups: &[Group]) -> io::Result<KillStep> {
        self.denied = 0;
        // Most programs leave nobody behind, and that should cost one look.
        if remaining(groups)? == 0 {
            self.kill_file_written = None;
            self.unfreeze(groups)?;
            return Ok(KillStep::Empty);
        }
        let done = match self.method {
            Method::KillFile(index) | Method::Freeze(index) => {
                self.unified(&groups[index])?;
                Some(index)
            }
            Method::Freezer(index) => {
                self.freezer(&groups[index])?;
                Some(index)
            }
            Method::Signals => None,
        };
        for (index, group) in groups.iter().enumerate() {
            if done != Some(index) {
                self.hunt(group.dir())?;
            }
        }
        match remaining(groups)? {
            0 => self.unfreeze(groups).map(|()| KillStep::Empty),
            remaining => Ok(KillStep::Busy { remaining }),
        }
    }

    fn unified(&mut self, group: &Group) -> io::Result<()> {
        if !is_populated(group)? {
            return Ok(());
        }
        if let Method::KillFile(index) = self.method {
            let members = tree::members(group.dir())?;
            match group.write("cgroup.kill", "1") {
                Ok(()) => {
                    self.killed.extend(members.pids);
                    return self.hunt_the_missed(group.dir());
                }
                Err(error) if can_do_without(&error) => self.method = Method::Freeze(index),
                Err(error) => return Err(error),
            }
        }
        // A task frozen on v2 dies by SIGKILL without being thawed.
        match group.write("cgroup.freeze", "1") {
            Ok(()) => self.froze = true,
            Err(error) if can_do_without(&error) => {}
            Err(error) => return Err(error),
        }
        self.hunt(group.dir())
    }

    /// `cgroup.kill` passes over a process whose first thread has ended (seen on Linux 7.2), which a
    /// signal reaches. So who is left after the first step gets one.
    fn hunt_the_missed(&mut self, group: BorrowedFd<'_>) -> io::Result<()> {
        let Some(written) = self.kill_file_written else {
            self.kill_file_written = Some(Instant::now());
            return Ok(());
        };
        self.hunt(group)?;
        if written.elapsed() < KILL_FILE_TIME {
            self.denied = 0;
        }
        Ok(())
    }

    /// The group may be used again.
    fn unfreeze(&mut self, groups: &[Group]) -> io::Result<()> {
        let (Method::Freeze(index), true) = (self.method, std::mem::take(&mut self.froze)) else {
            return Ok(());
        };
        match groups[index].write("cgroup.freeze", "0") {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// A task frozen on v1 dies only once thawed, in whichever sub-group it was frozen.
    fn freezer(&mut self, group: &Group) -> io::Result<()> {
        if tree::members(group.dir())?.count() == 0 {
            return Ok(());
        }
        let frozen = group.write("freezer.state", "FROZEN");
        let hunted = self.hunt(group.dir());
        tree::write_all(group.dir(), "freezer.state", "THAWED")?;
        frozen.or_else(|error| {
            if can_do_without(&error) {
                Ok(())
            } else {
                Err(error)
            }
        })?;
        hunted
    }

    /// Signals all, again and again until nobody new is listed.
    fn hunt(&mut self, group: BorrowedFd<'_>) -> io::Result<()> {
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

/// The file does not exist on this kernel, is not ours to write, or not for this kind of group.
fn can_do_without(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    is_gone(error)
        || matches!(
            errno,
            Some(libc::EACCES | libc::EPERM | libc::EOPNOTSUPP | libc::EINVAL)
        )
}

/// On v2, whether the group or any below it holds a live process.
pub(in crate::cgroup) fn is_populated(group: &Group) -> io::Result<bool> {
    match group.read("cgroup.events") {
        Ok(text) => Ok(text.lines().any(|line| line == "populated 1")),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How many processes the groups hold between them.
pub(in crate::cgroup) fn remaining(groups: &[Group]) -> io::Result<usize> {
    let (mut pids, mut foreign, mut populated) = (BTreeSet::new(), 0, false);
    for group in groups {
        if group.is_v2() {
            if !is_populated(group)? {
                continue;
            }
            // A process can be on its way out, no longer listed and yet not gone.
            populated = true;
        }
        let members = tree::members(group.dir())?;
        pids.extend(members.pids);
        foreign = foreign.max(members.foreign);
    }
    Ok((pids.len() + foreign).max(usize::from(populated)))
}
