// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The cgroup of a program, from its creation to its removal.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::dialect::Version;
use super::enabling::disable_all;
use super::error::{Blocked, Error, Leftover, errno_of};
use super::group::{Entry, Group, KillStep, Killer, refuse_own, remaining, tree};
use super::location::Location;
use super::memory::Memory;
use super::poll::poll_until;
use super::settings::owner;
use crate::wait::{Undisturbed, Wait};

/// How long processes of an earlier run may take to die before a new one is refused.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(5);
/// Half of what [`Cgroup::discard`] may take. The group holds no more than a program that failed to start.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// The cgroup of one program: a directory in each of several hierarchies (v1), or one (v2).
#[derive(Debug)]
pub struct Cgroup {
    pub(super) version: Version,
    pub(super) groups: Vec<Group>,
    pub(super) killer: Killer,
    /// The directories that were created, from the top down.
    pub(super) created: Vec<PathBuf>,
    /// Whether it needs controllers.
    pub(super) is_limited: bool,
    memory: Memory,
}

/// What it takes to open a [`Cgroup`] once more.
#[derive(Clone, Debug)]
pub struct Locations {
    version: Version,
    /// Each with whether it existed before.
    groups: Vec<(Location, bool)>,
}

impl Locations {
    /// Opens those directories that still exist, without locking them: this process has the locks.
    pub fn open(self) -> Cgroup {
        let groups = self.groups.into_iter();
        let groups = groups.filter_map(|(location, existed)| Group::open(location, existed).ok());
        Cgroup::new(self.version, groups.collect())
    }
}

impl Cgroup {
    pub(super) fn new(version: Version, groups: Vec<Group>) -> Self {
        let killer = Killer::new(&groups);
        Self {
            version,
            groups,
            killer,
            created: vec![],
            is_limited: false,
            memory: Memory::default(),
        }
    }

    pub fn locations(&self) -> Locations {
        let groups = self.groups.iter();
        Locations {
            version: self.version,
            groups: groups
                .map(|group| (group.location.clone(), group.existed))
                .collect(),
        }
    }

    /// The way into each directory. A process that writes `0` to all of them is in the cgroup.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.groups.iter().filter_map(Group::entry)
    }

    /// Whether a process that starts in it may share memory with one outside, which waits for it.
    ///
    /// Limits could make it slow. When memory is short, the kernel also kills all processes that share the memory of
    /// one that it kills. On v1, a frozen process cannot even be killed.
    pub fn may_share_memory(&self) -> bool {
        let is_plain = |group: &Group| !group.existed && !group.holds_killed();
        !self.is_limited && self.groups.iter().all(is_plain)
    }

    /// Whether none of its directories existed before.
    pub fn is_new(&self) -> bool {
        self.groups.iter().all(|group| !group.existed)
    }

    /// For each directory its controllers, joined by commas and empty on v2, and its path.
    pub fn directories(&self) -> Vec<(String, PathBuf)> {
        let locations = self.groups.iter().map(|group| &group.location);
        locations
            .map(|location| (location.hierarchy.label(), location.path.clone()))
            .collect()
    }

    /// Empties directories that existed before, and refuses those that hold this process or one that
    /// started it.
    pub(super) fn take_over(&mut self, wait: &dyn Wait) -> Result<(), Error> {
        self.refuse_own()?;
        let existing = self.groups.iter().find(|group| group.existed);
        let Some(path) = existing.map(|group| group.location.path.clone()) else {
            return Ok(());
        };
        let leftover = match self.empty_within(EMPTY_TIMEOUT, wait) {
            Ok(0) => self.reset().map_err(|error| errno_of(&error)),
            Ok(count) => {
                let leftover = Leftover::Processes(count);
                return Err(Error::NotEmptied { path, leftover });
            }
            Err(error) => Err(errno_of(&error)),
        };
        leftover.map_err(|errno| Error::NotEmptied {
            path,
            leftover: Leftover::Errno(errno),
        })
    }

    pub(super) fn refuse_own(&self) -> Result<(), Error> {
        let mut existing = self.groups.iter().filter(|group| group.existed);
        existing.try_for_each(refuse_own)
    }

    /// Undoes what an earlier run may have left in an empty group: groups below, a freeze, enabled
    /// controllers, and counts.
    fn reset(&mut self) -> io::Result<()> {
        for group in self.groups.iter().filter(|group| group.existed) {
            if !tree::remove_below(group.dir())? {
                return Err(io::Error::from_raw_os_error(libc::EBUSY));
            }
            // A missing file is no error here. If it matters, a later step fails and names it.
            if let Some(freezer) = group.freezer() {
                let _ = group.write(freezer.file, freezer.thaw);
            }
            disable_all(group)?;
        }
        let mut memory = Memory::default();
        if let Some(group) = self.memory_group().filter(|group| group.existed) {
            memory.reset(group);
        }
        self.memory = memory;
        Ok(())
    }

    pub(super) fn open_entries(&mut self) -> Result<(), Error> {
        self.groups.iter_mut().try_for_each(Group::open_entry)
    }

    /// Kills every process in the cgroup, as far as that goes without waiting. Call it again a few
    /// milliseconds later, or after SIGCHLD, until it returns [`KillStep::Empty`].
    pub fn kill_step(&mut self) -> io::Result<KillStep> {
        self.killer.step(&self.groups)
    }

    /// Kills every process, and returns how many are left at the deadline.
    pub(super) fn empty_within(&mut self, time: Duration, wait: &dyn Wait) -> io::Result<usize> {
        let result = poll_until(Instant::now() + time, wait, || match self.kill_step() {
            Ok(KillStep::Busy { remaining }) => ControlFlow::Continue(remaining),
            Ok(KillStep::Empty) => ControlFlow::Break(Ok(0)),
            Err(error) => ControlFlow::Break(Err(error)),
        });
        match result? {
            ControlFlow::Break(result) => result,
            ControlFlow::Continue(remaining) => Ok(remaining),
        }
    }

    /// Thaws the processes that were frozen in the cgroup or in groups below it.
    pub fn thaw(&self) -> io::Result<()> {
        self.groups.iter().try_for_each(Group::thaw)
    }

    /// The error that processes cannot die because a group above is frozen.
    pub fn held_frozen(&self) -> Option<Error> {
        let mut groups = self.groups.iter().filter(|group| group.holds_killed());
        groups.find_map(|group| group.frozen(Blocked::End))
    }

    /// How many processes [`Self::kill_step`] has killed so far.
    pub fn killed(&self) -> usize {
        self.killer.killed.len()
    }

    /// How many processes the last [`Self::kill_step`] was not permitted to kill.
    pub fn denied(&self) -> usize {
        self.killer.denied
    }

    /// Whether no process is in the cgroup.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(remaining(&self.groups)? == 0)
    }

    /// Tries once to remove the cgroup and all groups below it, and returns whether they are gone. The
    /// kernel may refuse for some milliseconds after the last process died.
    pub fn remove_step(&mut self) -> io::Result<bool> {
        // Also after one that cannot be removed.
        let results: Vec<io::Result<bool>> = self.groups.iter_mut().map(Group::remove).collect();
        let mut results = results.into_iter();
        results.try_fold(true, |all, gone| Ok(all & gone?))
    }

    /// Removes the cgroup, and returns whether it is gone by the deadline.
    pub(super) fn remove_within(&mut self, time: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + time;
        let result = poll_until(deadline, &Undisturbed, || match self.remove_step() {
            Ok(false) => ControlFlow::Continue(()),
            result => ControlFlow::Break(result),
        });
        result?.break_value().unwrap_or(Ok(false))
    }

    /// Undoes the creation, since the program could not be started, and kills what entered. Blocks for some
    /// milliseconds, two seconds at most.
    pub fn discard(mut self) {
        // The next run in this cgroup finds what is left, and removes it first.
        let _ = self.empty_within(DISCARD_TIMEOUT, &Undisturbed);
        let _ = self.remove_within(DISCARD_TIMEOUT);
        // Other programs may use those above by now, and then they stay.
        for path in self.created.iter().rev() {
            let _ = std::fs::remove_dir(path);
        }
    }

    fn memory_group(&self) -> Option<&Group> {
        owner(&self.groups, self.version, "memory.max")
    }

    /// How many processes of the cgroup the kernel killed because it was out of memory. Needs the memory
    /// controller, and has to be called before the removal.
    pub fn oom_kills(&self) -> u64 {
        let group = self.memory_group();
        group.map_or(0, |group| self.memory.oom_kills(group))
    }

    /// The peak memory usage of the cgroup, in bytes. Has the same conditions as [`Self::oom_kills`].
    pub fn peak_memory(&self) -> Option<u64> {
        self.memory.peak(self.memory_group()?)
    }
}
