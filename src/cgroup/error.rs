// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Why something cannot be done with a cgroup. `error_text.rs` has the text.

use std::io;
use std::path::{Path, PathBuf};

use super::dialect::{Mismatch, Version};

/// An error about a cgroup. Names are those of the request; paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The request is wrong on every host.
    Invalid {
        part: Part,
        name: String,
        reason: String,
    },
    NoHierarchy,
    /// No kernel has a controller of this name.
    UnknownController {
        name: String,
        /// The most similar name that exists.
        nearest: Option<&'static str>,
    },
    /// v1: the hierarchy of this controller is not mounted.
    NotMounted {
        controller: String,
        /// All controllers that the request needs.
        needed: Vec<String>,
    },
    /// v2: the kernel does not have this controller, or v1 has it.
    NotOffered {
        controller: String,
        /// The `cgroup.controllers` that lacks it.
        list: PathBuf,
    },
    /// This version has no such controller.
    NoController {
        name: String,
        version: Version,
    },
    /// This version has no setting with this meaning.
    NoEquivalent {
        setting: String,
        version: Version,
    },
    /// A value of the other version cannot be translated.
    Untranslatable {
        setting: String,
        value: String,
        /// The file that it would be written to.
        path: PathBuf,
        /// What the kernel gives for such a value.
        errno: i32,
        reason: &'static str,
    },
    NoGroup {
        name: String,
        /// Its directory in the first hierarchy.
        path: PathBuf,
    },
    /// The group has no file for this setting or statistic.
    NoFile {
        name: String,
        group: PathBuf,
    },
    /// A system call failed.
    Io {
        attempt: Attempt,
        path: PathBuf,
        errno: i32,
    },
    /// The kernel refused the value of a setting, or does not have the file.
    NotSet {
        setting: String,
        value: String,
        path: PathBuf,
        exists: bool,
        errno: i32,
    },
    /// v2: the kernel took a list of CPUs or memory nodes that the groups above do not grant.
    NotGranted {
        value: String,
        path: PathBuf,
        granted: String,
    },
    /// v2: a controller could not be enabled for the groups below `group`.
    NotEnabled {
        controller: String,
        group: PathBuf,
        errno: i32,
    },
    /// No process can be moved into `group`.
    NoEntry {
        group: PathBuf,
        /// v2: the `cgroup.procs` that would have to be writable.
        unwritable: Option<PathBuf>,
        errno: i32,
    },
    /// This user may not use these controllers.
    Denied {
        controllers: Vec<String>,
        cause: Box<Self>,
    },
    /// Another muontrap uses the group, or one above or below it.
    InUse {
        path: PathBuf,
        /// The process that has the lock, if it can be seen.
        holder: Option<i32>,
        /// Whether it uses a group below `path`.
        is_below: bool,
    },
    /// The directory was removed meanwhile.
    Removed {
        path: PathBuf,
    },
    /// A group above keeps `group` frozen.
    Frozen {
        group: PathBuf,
        /// The file of the frozen group.
        file: PathBuf,
        blocked: Blocked,
    },
    /// The group holds muontrap or what started it.
    HoldsMuontrap {
        path: PathBuf,
        /// The process that started muontrap; `None` for muontrap itself.
        ancestor: Option<i32>,
    },
    /// A cgroup that was to be cleaned is still there.
    NotRemoved {
        group: String,
        /// How many processes could not be killed.
        remaining: usize,
    },
    /// A group that exists cannot be emptied.
    NotEmptied {
        path: PathBuf,
        leftover: Leftover,
    },
}

/// The part of a request that is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Group,
    Controller,
    Setting,
    Value,
    File,
}

/// What a system call was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Create,
    Open,
    Read,
    Write(String),
    /// Killing all processes of a group.
    Empty,
    Remove,
    /// Waiting until another process has released a group.
    WaitFor,
}

/// What a program in a frozen group cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    Start,
    End,
}

/// What is left in a group that cannot be emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// So many processes.
    Processes(usize),
    /// Unknown, for a system call failed.
    Errno(i32),
}

impl Error {
    pub(super) fn io(attempt: Attempt, path: &Path, error: &io::Error) -> Self {
        Self::Io {
            attempt,
            path: path.into(),
            errno: errno_of(error),
        }
    }

    /// A setting of the request cannot be written under a name of another version. `path` finds its file.
    pub(super) fn of_mismatch(mismatch: Mismatch, path: impl FnOnce(&str) -> PathBuf) -> Self {
        match mismatch {
            Mismatch::Controller { name, version } => Self::NoController { name, version },
            Mismatch::Setting { name, version } => Self::NoEquivalent {
                setting: name,
                version,
            },
            Mismatch::Value {
                setting,
                value,
                file,
                errno,
                reason,
            } => Self::Untranslatable {
                setting,
                value,
                path: path(&file),
                errno,
                reason,
            },
        }
    }

    /// Whether another process may end this condition, so that trying again makes sense.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::InUse { .. } | Self::Removed { .. } => true,
            Self::Frozen { blocked, .. } => *blocked == Blocked::Start,
            _ => false,
        }
    }

    /// The errno, or the one that comes closest.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Io { errno, .. }
            | Self::Untranslatable { errno, .. }
            | Self::NotSet { errno, .. }
            | Self::NotEnabled { errno, .. }
            | Self::NoEntry { errno, .. } => *errno,
            Self::Denied { cause, .. } => cause.errno(),
            Self::NotEmptied { leftover, .. } => match leftover {
                Leftover::Processes(_) => libc::EBUSY,
                Leftover::Errno(errno) => *errno,
            },
            Self::Invalid { .. } | Self::NotGranted { .. } => libc::EINVAL,
            Self::InUse { .. }
            | Self::Removed { .. }
            | Self::Frozen { .. }
            | Self::HoldsMuontrap { .. }
            | Self::NotRemoved { .. } => libc::EBUSY,
            _ => libc::ENOENT,
        }
    }

    /// The file or directory that it is about, or the name that was given.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Invalid { name, .. }
            | Self::UnknownController { name, .. }
            | Self::NoController { name, .. } => name.into(),
            Self::NotMounted { controller, .. } => controller.into(),
            Self::NoEquivalent { setting, .. } => setting.into(),
            Self::NotRemoved { group, .. } => group.into(),
            Self::NoHierarchy => "/proc/self/mountinfo".into(),
            Self::NoFile { name, group } => group.join(name),
            Self::NotEnabled { group, .. } => group.join("cgroup.subtree_control"),
            Self::NoEntry {
                group, unwritable, ..
            } => match unwritable {
                Some(file) => file.clone(),
                None => group.join("cgroup.procs"),
            },
            Self::Denied { cause, .. } => cause.path(),
            Self::NotOffered { list: path, .. }
            | Self::Untranslatable { path, .. }
            | Self::NoGroup { path, .. }
            | Self::Io { path, .. }
            | Self::NotSet { path, .. }
            | Self::NotGranted { path, .. }
            | Self::InUse { path, .. }
            | Self::Removed { path }
            | Self::Frozen { file: path, .. }
            | Self::HoldsMuontrap { path, .. }
            | Self::NotEmptied { path, .. } => path.clone(),
        }
    }
}

/// 0 where no system call failed.
pub(super) fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}
