// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The groups of one program, one a hierarchy, and what is done with them once they exist.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::fs::{number_after, open_at, read_at};
use super::group::{Group, GroupFiles, failed};
use super::kill::{KillStep, Killer, Method, remaining};
use super::mounts::Version;
use super::owner::refuse_own;
use super::request::Request;
use super::translate::translate;
use super::tree;
use crate::error::{Failure, Step};
use crate::wait::{Undisturbed, Wait};

/// Strays of an earlier run get this long to die before a new one is refused.
const EMPTYING: Duration = Duration::from_secs(5);
/// Half of what undoing may take: what got in is no more than a program that failed to start.
const DISCARDING: Duration = Duration::from_secs(1);
/// How long a blocking wait sleeps between two looks.
const TICK: Duration = Duration::from_millis(1);

/// The groups of one program.
#[derive(Debug)]
pub struct Held {
    pub(super) version: Version,
    pub(super) groups: Vec<Group>,
    pub(super) killer: Killer,
    /// The directories that were made, from the top down.
    pub(super) made: Vec<PathBuf>,
    oom_before: u64,
    /// `memory.peak` of a reused group, which a write resets for readers of this descriptor only.
    peak: Option<File>,
}

impl Held {
    pub(super) fn new(version: Version, groups: Vec<Group>) -> Self {
        let killer = Killer::new(Method::of(&groups));
        Self {
            version,
            groups,
            killer,
            made: vec![],
            oom_before: 0,
            peak: None,
        }
    }

    /// Makes sure that no group that was there before holds anybody, and that none of those whom it
    /// holds is one of us.
    pub(super) fn take_over(&mut self, request: &Request, wait: &dyn Wait) -> Result<(), Failure> {
        self.refuse_own(request)?;
        if !self.groups.iter().any(|group| group.existed) {
            return Ok(());
        }
        match self.empty_within(EMPTYING, wait) {
            Ok(0) => self
                .reset()
                .map_err(|error| self.not_emptied(&error.to_string(), Some(&error))),
            Ok(count) => {
                Err(self.not_emptied(&format!("{count} of its processes do not die"), None))
            }
            Err(error) => Err(self.not_emptied("its processes cannot be killed", Some(&error))),
        }
    }

    pub(super) fn refuse_own(&self, request: &Request) -> Result<(), Failure> {
        for group in self.groups.iter().filter(|group| group.existed) {
            let members = tree::members(group.dir())
                .map_err(|error| failed("read", &group.path.join("cgroup.procs"), &error))?;
            refuse_own(group, &request.group, &members)?;
        }
        Ok(())
    }

    fn not_emptied(&self, why: &str, error: Option<&io::Error>) -> Failure {
        let path = self
            .groups
            .iter()
            .find(|group| group.existed)
            .map(|group| group.path.display().to_string());
        let path = path.unwrap_or_default();
        let failure = Failure::new(
            Step::Cgroup,
            format!("{path} exists and cannot be emptied: {why}"),
        );
        let failure = match error {
            Some(error) => failure.caused_by(error),
            None => failure.errno(libc::EBUSY),
        };
        failure
            .advice(format!("`cat {path}/cgroup.procs` lists them"))
            .path(path)
    }

    /// What an earlier run may have left in an empty group: sub-groups, a freeze, controllers
    /// passed on, and its counts.
    fn reset(&mut self) -> io::Result<()> {
        for group in self.groups.iter().filter(|group| group.existed) {
            if !tree::remove_below(group.dir())? {
                return Err(io::Error::from_raw_os_error(libc::EBUSY));
            }
            // Each is there or not, by version and controller; what matters fails later, by name.
            match group.hierarchy.version {
                Version::V1 => {
                    let _ = group.write("freezer.state", "THAWED");
                    let _ = group.write("memory.max_usage_in_bytes", "0");
                }
                Version::V2 => {
                    let _ = group.write("cgroup.freeze", "0");
                    let passed_on = group.read("cgroup.subtree_control").unwrap_or_default();
                    for controller in passed_on.split_whitespace() {
                        group.write("cgroup.subtree_control", &format!("-{controller}"))?;
                    }
                    self.peak = reset_peak(group);
                }
            }
        }
        self.oom_before = self.oom_count();
        Ok(())
    }

    /// Writes the settings.
    pub(super) fn furnish(&self, request: &Request) -> Result<(), Failure> {
        let files = GroupFiles {
            groups: &self.groups,
            version: self.version,
        };
        for write in translate(&request.settings, self.version, &files)? {
            let Some(group) = files.owner(&write.file) else {
                return Err(super::settings::no_counterpart(
                    &write.setting,
                    self.version,
                ));
            };
            group.apply(&write)?;
            if self.version == Version::V2 && write.file.starts_with("cpuset.") {
                super::v2::check_cpuset(group, &write)?;
            }
        }
        Ok(())
    }

    /// Opens the ways in.
    pub(super) fn open_entries(&mut self) -> Result<(), Failure> {
        self.groups.iter_mut().try_for_each(Group::open_entry)
    }

    pub(super) fn kill_step(&mut self) -> io::Result<KillStep> {
        self.killer.step(&self.groups)
    }

    /// See [`super::Cgroup::held_frozen`].
    pub(super) fn held_frozen(&self) -> Option<Failure> {
        let mut groups = self.groups.iter();
        groups.find_map(|group| match group.hierarchy.version {
            Version::V1 => Some(group.not_while_frozen("end", &group.frozen_above()?)),
            Version::V2 => None,
        })
    }

    /// Tries all, also when one cannot be removed.
    pub(super) fn remove_step(&mut self) -> io::Result<bool> {
        let results: Vec<io::Result<bool>> = self.groups.iter_mut().map(Group::remove).collect();
        results
            .into_iter()
            .try_fold(true, |all, gone| Ok(all & gone?))
    }

    /// Kills all, waiting for it: how many are left at the deadline.
    pub(super) fn empty_within(&mut self, time: Duration, wait: &dyn Wait) -> io::Result<usize> {
        let deadline = Instant::now() + time;
        loop {
            match self.kill_step()? {
                KillStep::Empty => return Ok(0),
                KillStep::Busy { remaining } if Instant::now() >= deadline => return Ok(remaining),
                KillStep::Busy { .. } => wait.pause(TICK)?,
            }
        }
    }

    /// Removes all, waiting for it: whether they are gone by the deadline.
    pub(super) fn remove_within(&mut self, time: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + time;
        loop {
            if self.remove_step()? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            sleep(TICK);
        }
    }

    /// Undoes the making: also of the groups above, as far as nobody else uses them.
    pub(super) fn discard(&mut self) {
        // Whatever stays is found, and emptied first, by the next run of this name.
        let _ = self.empty_within(DISCARDING, &Undisturbed);
        let _ = self.remove_within(DISCARDING);
        for path in self.made.iter().rev() {
            let _ = std::fs::remove_dir(path);
        }
    }

    /// Whether anybody is in.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        Ok(remaining(&self.groups)? == 0)
    }

    pub(super) fn oom_kills(&self) -> u64 {
        self.oom_count().saturating_sub(self.oom_before)
    }

    fn memory_group(&self) -> Option<&Group> {
        GroupFiles {
            groups: &self.groups,
            version: self.version,
        }
        .owner("memory.max")
    }

    /// v2 counts in all groups above the victim's, v1 only in its own.
    fn oom_count(&self) -> u64 {
        let Some(group) = self.memory_group() else {
            return 0;
        };
        let count = |text: io::Result<String>| {
            number_after(&text.unwrap_or_default(), "oom_kill").unwrap_or(0)
        };
        match self.version {
            Version::V1 => {
                tree::sum(group.dir(), |dir| count(read_at(dir, "memory.oom_control"))).unwrap_or(0)
            }
            Version::V2 => count(group.read("memory.events")),
        }
    }

    pub(super) fn peak_memory(&self) -> Option<u64> {
        if let Some(mut file) = self.peak.as_ref() {
            let mut text = String::new();
            file.rewind()
                .and_then(|()| file.read_to_string(&mut text))
                .ok()?;
            return text.trim().parse().ok();
        }
        let file = match self.version {
            Version::V1 => "memory.max_usage_in_bytes",
            Version::V2 => "memory.peak",
        };
        self.memory_group()?.read(file).ok()?.trim().parse().ok()
    }
}

/// Since Linux 6.12; before that the peak of a reused group includes its past.
fn reset_peak(group: &Group) -> Option<File> {
    let file: OwnedFd = open_at(group.dir().as_fd(), "memory.peak", OFlag::O_RDWR).ok()?;
    let mut file = File::from(file);
    file.write_all(b"reset\n").ok()?;
    Some(file)
}
