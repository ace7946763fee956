// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! One group in one hierarchy: making it, writing its settings, removing it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::{AccessFlags, faccessat};

use super::advice;
use super::directories::{Trail, make_directories};
use super::fs::{is_denied, is_gone, open_at, open_dir, read_at, write_at};
use super::lock::{Refusal, lock, lock_above};
use super::mounts::{Hierarchy, Version};
use super::owner::refuse_own;
use super::request::Request;
use super::translate::Write;
use super::tree;
use crate::error::{Failure, Step};

/// A group, held open.
#[derive(Debug)]
pub(super) struct Group {
    pub hierarchy: Hierarchy,
    pub path: PathBuf,
    /// Whether it was there before us.
    pub existed: bool,
    dir: OwnedFd,
    /// Holds the locks on the groups above it.
    above: Vec<OwnedFd>,
    /// For the program to enter by; opened last, when all settings are in place.
    procs: Option<OwnedFd>,
    removed: bool,
}

impl Group {
    /// Makes the group, and the groups above it that are missing, or opens the one that is there. From
    /// then on nobody else has it, and `trail` knows what was made. `since` is when the first attempt
    /// was made.
    pub fn make(
        hierarchy: &Hierarchy,
        request: &Request,
        trail: &mut Trail,
        since: Instant,
    ) -> Result<Self, Refusal> {
        let path = hierarchy.directory(&request.group);
        let existed = make_directories(hierarchy, request, trail)?;
        let group = match Self::open_at_path(hierarchy, path.clone(), existed) {
            Err(failure) if failure.errno == libc::ENOENT => Err(Refusal::Busy(failure)),
            result => result.map_err(Refusal::Failed),
        };
        let group = group.and_then(|group| {
            if existed {
                let members = tree::members(group.dir());
                let members = members.map_err(|error| failed("read", &group.path, &error))?;
                refuse_own(&group, &request.group, &members)?;
            }
            lock(group.dir(), &group.path, since).map(|()| group)
        });
        let mut group = group.inspect_err(|_| trail.leave(&path))?;
        let above = lock_above(hierarchy, request, since)
            .and_then(|above| group.refuse_frozen().map(|()| above));
        // While the group is still ours.
        group.above = above.inspect_err(|_| trail.undo())?;
        Ok(group)
    }

    /// Locks a group that exists, and those above it.
    pub fn lock(&mut self, request: &Request, since: Instant) -> Result<(), Refusal> {
        lock(self.dir(), &self.path, since)?;
        self.above = lock_above(&self.hierarchy, request, since)?;
        Ok(())
    }

    /// Opens the group if it exists.
    pub fn find(hierarchy: &Hierarchy, request: &Request) -> Result<Option<Self>, Failure> {
        let path = hierarchy.directory(&request.group);
        match fs::symlink_metadata(&path) {
            Err(error) if is_gone(&error) => Ok(None),
            _ => Self::open_at_path(hierarchy, path, true).map(Some),
        }
    }

    pub fn open_at_path(
        hierarchy: &Hierarchy,
        path: PathBuf,
        existed: bool,
    ) -> Result<Self, Failure> {
        let dir = open_dir(&path).map_err(|error| failed("open", &path, &error))?;
        let hierarchy = hierarchy.clone();
        Ok(Self {
            hierarchy,
            path,
            existed,
            dir,
            above: vec![],
            procs: None,
            removed: false,
        })
    }

    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The label used in STARTED: the controllers, joined; empty on v2.
    pub fn label(&self) -> String {
        self.hierarchy.controllers.join(",")
    }

    pub fn read(&self, file: &str) -> io::Result<String> {
        read_at(self.dir(), file)
    }

    pub fn write(&self, file: &str, value: &str) -> io::Result<()> {
        write_at(self.dir(), file, value)
    }

    /// Writes one setting.
    pub fn apply(&self, write: &Write) -> Result<(), Failure> {
        let (mut file, mut value) = (&write.file, &write.value);
        let mut result = self.write(file, value);
        if let (Err(error), Some(otherwise)) = (&result, &write.otherwise) {
            if is_gone(error) && !self.path.join(file).exists() {
                (file, value) = (&otherwise.0, &otherwise.1);
                result = self.write(file, value);
            }
        }
        result.map_err(|error| self.not_written(&write.setting, file, value, &error))
    }

    fn not_written(&self, setting: &str, file: &str, value: &str, error: &io::Error) -> Failure {
        let path = self.path.join(file);
        let version = self.hierarchy.version.name();
        let mut message = format!("failed to write {value:?} to {}", path.display());
        if !path.exists() {
            message = format!(
                "cannot set {setting:?}: {version} on this host has no {}",
                path.display()
            );
        } else if setting != file {
            message = format!("{message} for {setting}");
        }
        Failure::new(Step::Cgroup, message)
            .caused_by(error)
            .path(&path)
            .advice(advice::setting(file, error))
    }

    /// Opens the way in.
    pub fn open_entry(&mut self) -> Result<(), Failure> {
        if self.procs.is_some() {
            return Ok(());
        }
        let opened = open_at(&self.dir, "cgroup.procs", OFlag::O_WRONLY);
        let procs = opened.map_err(|error| {
            let path = self.path.join("cgroup.procs");
            failed("open", &path, &error).advice(advice::mkdir(&self.hierarchy, &self.path, &error))
        })?;
        self.procs = Some(procs);
        Ok(())
    }

    /// On v2, moving a process takes a writable `cgroup.procs` in the nearest group above both
    /// places ([delegation](https://docs.kernel.org/admin-guide/cgroup-v2.html)). Better to know it
    /// before there is a process.
    pub fn check_entry(&self) -> Result<(), Failure> {
        let Some(own) = self.hierarchy.own_directory() else {
            return Ok(());
        };
        if self.hierarchy.version == Version::V1 {
            return Ok(());
        }
        let common = own.ancestors().find(|above| self.path.starts_with(above));
        let file = common.unwrap_or(&own).join("cgroup.procs");
        faccessat(AT_FDCWD, &file, AccessFlags::W_OK, AtFlags::AT_EACCESS).map_err(|errno| {
            let failure = self.entry_failure(errno as i32);
            Failure {
                message: format!("{}: {} is not writable", failure.message, file.display()),
                ..failure
            }
        })
    }

    /// What to say when a process could not enter.
    pub fn entry_failure(&self, errno: i32) -> Failure {
        let error = io::Error::from_raw_os_error(errno);
        let path = self.path.join("cgroup.procs");
        Failure::new(
            Step::Cgroup,
            format!("the program cannot enter its cgroup by {}", path.display()),
        )
        .errno(errno)
        .path(&path)
        .advice(advice::enter(&self.hierarchy, &self.path, &error))
    }

    /// `cgroup.procs`, open for writing.
    pub fn entry(&self) -> Option<BorrowedFd<'_>> {
        self.procs.as_ref().map(AsFd::as_fd)
    }

    /// One attempt to remove it and all below it: whether it is gone. A group that was there before
    /// us and that we may empty but not remove is left, for somebody prepared it for us.
    pub fn remove(&mut self) -> io::Result<bool> {
        if self.removed {
            return Ok(true);
        }
        // The common case has no sub-groups and takes one system call.
        let mut gone = remove_directory(&self.path);
        if matches!(gone, Ok(false)) && tree::remove_below(self.dir())? {
            gone = remove_directory(&self.path);
        }
        self.removed = match gone {
            Err(error) if self.existed && is_denied(&error) => tree::remove_below(self.dir())?,
            other => other?,
        };
        if self.removed {
            self.above.clear();
        }
        Ok(self.removed)
    }
}

fn remove_directory(path: &Path) -> io::Result<bool> {
    fs::remove_dir(path).map_or_else(tree::removal, |()| Ok(true))
}

/// A failure about a file or directory.
pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Step::Cgroup, format!("failed to {what} {}", path.display()))
        .caused_by(error)
        .path(path)
}

/// The group's files, for translating.
pub(super) struct GroupFiles<'a> {
    pub groups: &'a [Group],
    pub version: Version,
}

impl<'a> GroupFiles<'a> {
    /// The group that has a file: on v1 the one whose hierarchy has the controller.
    pub fn owner(&self, file: &str) -> Option<&'a Group> {
        let controller = file.split('.').next()?;
        self.groups
            .iter()
            .find(|group| match (self.version, group.hierarchy.version) {
                (Version::V2, Version::V2) => true,
                (Version::V1, Version::V1) => group.hierarchy.has(controller),
                _ => false,
            })
    }
}

impl super::translate::Files for GroupFiles<'_> {
    fn path(&self, file: &str) -> PathBuf {
        self.owner(file)
            .map_or_else(|| file.into(), |group| group.path.join(file))
    }

    fn now(&self, file: &str) -> Option<String> {
        let text = self.owner(file)?.read(file).ok()?;
        Some(text.trim_end().to_string())
    }
}
