// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! cgroups: limits that hold from the first instruction, and a wall that nothing climbs over.
//!
//! [`Cgroup::create`] makes the group of a program, with every limit set, on any kind of host: v1,
//! v2, or both at once. The child writes `0` to each of [`Cgroup::entry_fds`] between fork and exec.
//! In the end [`Cgroup::kill_step`] and [`Cgroup::remove_step`] are called until both are done.
//!
//! # Decisions
//!
//! - **Paths** begin at the root of what is mounted, with or without a leading `/`: in a container
//!   that is the container's own root.
//! - **A group that exists** is ours by contract. It is emptied first, with its sub-groups, unless
//!   it holds this process or one that started it; its settings stay as they are. It is removed in
//!   the end like any other, or left where only its contents are ours to remove.
//! - **One muontrap at a time** looks after a group, and has a lock on it. The next one waits.
//! - **Groups above it** that were missing are made and stay, for other programs may use them by
//!   then. If anything fails before the program runs, they are removed too.
//! - **On v1** a program gets one group more, at the same path, where none of those that it needs
//!   can kill or freeze: on the v2 mount of a hybrid host, else of the freezer.
//! - **Values** are the kernel's to judge and are written as given, in the host's own dialect. They
//!   are not read back: where the kernel rounds or clamps, it documents so. One case is checked,
//!   since it would undo the limit: a v2 cpuset that the groups above do not grant.

mod advice;
mod answer;
mod block;
mod clean;
mod controllers;
mod convert;
mod directories;
mod dry_run;
mod freeze;
mod fs;
mod group;
mod held;
mod kill;
mod lock;
mod mounts;
mod owner;
mod permission;
mod place;
mod request;
mod settings;
mod statistics;
mod translate;
mod tree;
mod v1;
mod v2;
mod view;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use advice::doctor_command;
pub use clean::{CleanReport, apply, clean};
pub use controllers::is_controller;
pub use dry_run::{Outlook, deepest_existing, dry_run, is_writable};
pub use held::Held;
pub use kill::KillStep;
pub use mounts::{Hierarchy, Host, Version};
pub use place::Place;
pub use request::Request;
pub use view::View;

use crate::error::{Failure, Step};
use crate::wait::{Undisturbed, Wait};
use lock::Refusal;

/// Another muontrap that looks after the group gets this long to end.
const OTHERS: Duration = Duration::from_secs(5);
/// Between two attempts.
const TICK: Duration = Duration::from_millis(2);

/// The group of one program.
#[derive(Debug)]
pub enum Cgroup {
    /// One group in each of several hierarchies.
    V1(Held),
    /// One group.
    V2(Held),
}

impl Cgroup {
    /// Makes the group or takes over the one that is there, writes every setting, and opens the ways
    /// in. On any error what was made is undone. Blocks for as long as another muontrap looks after the
    /// group, and then for as long as it takes to kill what it holds: for each, five seconds at most.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of [`Step::Cgroup`] whose path is the file, and whose advice is the command that
    /// mends it.
    pub fn create(host: &Host, request: &Request) -> Result<Self, Failure> {
        Self::create_while(host, request, &Undisturbed)
    }

    /// The same, but not for longer than it is wanted.
    ///
    /// # Errors
    ///
    /// As [`Self::create`].
    pub fn create_while(host: &Host, request: &Request, wait: &dyn Wait) -> Result<Self, Failure> {
        request.validate()?;
        request.validate_on(host)?;
        let unified = host
            .unified()
            .filter(|unified| suffices(host, unified, request));
        let since = Instant::now();
        loop {
            let created = match unified {
                Some(unified) => v2::create(unified, request, wait, since).map(Self::V2),
                None => v1::create(host, request, wait, since).map(Self::V1),
            };
            match created {
                Err(Refusal::Busy(failure)) if since.elapsed() < OTHERS => {
                    wait.pause(TICK)
                        .map_err(|error| failure.caused_by(&error))?;
                }
                Err(Refusal::Busy(failure) | Refusal::Failed(failure)) => return Err(failure),
                Ok(cgroup) => return Ok(cgroup),
            }
        }
    }

    fn held(&self) -> &Held {
        match self {
            Self::V1(held) | Self::V2(held) => held,
        }
    }

    fn held_mut(&mut self) -> &mut Held {
        match self {
            Self::V1(held) | Self::V2(held) => held,
        }
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        Place::of(self.held())
    }

    /// `cgroup.procs` of each group, open for writing, close-on-exec. Whoever writes `0` to all of
    /// them is in.
    pub fn entry_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.held()
            .groups
            .iter()
            .filter_map(group::Group::entry)
            .collect()
    }

    /// What to say when writing to one of [`Self::entry_fds`], by its place, gave this errno.
    pub fn entry_failure(&self, index: usize, errno: i32) -> Failure {
        let unknown =
            || Failure::new(Step::Cgroup, "the program cannot enter its cgroup").errno(errno);
        self.held()
            .groups
            .get(index)
            .map_or_else(unknown, |group| group.entry_failure(errno))
    }

    /// v2 alone: the directory, for `CLONE_INTO_CGROUP`
    /// ([clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html)).
    pub fn directory_fd(&self) -> Option<BorrowedFd<'_>> {
        match self.held().groups.as_slice() {
            [group] if group.hierarchy.version == Version::V2 => Some(group.dir()),
            _ => None,
        }
    }

    /// For each group its controllers, joined by commas and empty on v2, and its absolute
    /// directory.
    pub fn directories(&self) -> Vec<(String, PathBuf)> {
        self.held()
            .groups
            .iter()
            .map(|group| (group.label(), group.path.clone()))
            .collect()
    }

    /// Kills every process in the group and in its sub-groups, as far as that goes without waiting.
    /// Call again a few milliseconds later, or after SIGCHLD, until it is [`KillStep::Empty`].
    pub fn kill_step(&mut self) -> io::Result<KillStep> {
        self.held_mut().kill_step()
    }

    /// Lets the processes go on that were frozen in the group or in its sub-groups.
    pub fn thaw(&self) -> io::Result<()> {
        let groups = &self.held().groups;
        groups
            .iter()
            .filter(|group| {
                group.hierarchy.version == Version::V2 || group.hierarchy.has("freezer")
            })
            .try_for_each(group::Group::thaw)
    }

    /// Why nobody in it can even die: on v1, a group above keeps it frozen.
    pub fn held_frozen(&self) -> Option<Failure> {
        self.held().held_frozen()
    }

    /// How many processes [`Self::kill_step`] has killed so far.
    pub fn killed(&self) -> usize {
        self.held().killer.killed.len()
    }

    /// How many processes the last [`Self::kill_step`] was not permitted to kill.
    pub fn denied(&self) -> usize {
        self.held().killer.denied
    }

    /// Whether no process is in the group or in its sub-groups.
    pub fn is_empty(&self) -> io::Result<bool> {
        self.held().is_empty()
    }

    /// One attempt to remove the group and its sub-groups, deepest first: whether they are gone. The
    /// kernel may say no for some milliseconds after the last process died.
    pub fn remove_step(&mut self) -> io::Result<bool> {
        self.held_mut().remove_step()
    }

    /// The program never ran: undoes [`Self::create`], and kills who got in. Blocks for some
    /// milliseconds, two seconds at most.
    pub fn discard(mut self) {
        self.held_mut().discard();
    }

    /// How many processes of the group the kernel killed because it was out of memory. Needs the
    /// memory controller, and the group: ask before removing it.
    pub fn oom_kills(&self) -> u64 {
        self.held().oom_kills()
    }

    /// The most memory that the group ever used, in bytes. Needs the memory controller (on v2 Linux
    /// 5.19), and the group: ask before removing it.
    pub fn peak_memory(&self) -> Option<u64> {
        self.held().peak_memory()
    }
}

/// Whether v2 has all that is needed. Where there is no v1 it must, and says what is missing.
fn suffices(host: &Host, unified: &Hierarchy, request: &Request) -> bool {
    if host.legacy().next().is_none() {
        return true;
    }
    // What is only to be held together is held by v1 where v2 is out of reach.
    if request.controllers.is_empty() && request.settings.is_empty() {
        return false;
    }
    // v2 always has what these are for, but here it is v1 that has them by name.
    let mut controllers = request.controllers.iter();
    if controllers.any(|name| host.legacy_with(name).is_some()) {
        return false;
    }
    settings::needed(request, Version::V2).is_ok_and(|needed| {
        let offered = if needed.is_empty() {
            vec![]
        } else {
            unified.offered()
        };
        needed.iter().all(|name| offered.contains(name))
    })
}

#[cfg(test)]
#[path = "host_test.rs"]
mod host_tests;
#[cfg(test)]
#[path = "kill_test.rs"]
mod kill_tests;
#[cfg(test)]
#[path = "lock_test.rs"]
mod lock_tests;
#[cfg(test)]
#[path = "reach_test.rs"]
mod reach_tests;
#[cfg(test)]
#[path = "test_support.rs"]
mod test_support;
