// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Who looks after a group: one muontrap at a time, which holds a lock on the directory.
//!
//! Another one that is still ending an earlier program of this name would kill the next program with
//! it, or remove the group under its feet. The kernel frees the lock of a process that is gone.

use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::{fs, io};

use nix::sys::stat::{FileStat, fstat, major, minor};

use crate::error::{Failure, Step};
use crate::sys;

/// Why a group cannot be had.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Not yet: somebody else has it.
    Busy(Failure),
    /// Not at all.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Takes the lock on the group of this path, which is open as `dir`, until that is closed.
pub(super) fn lock(dir: BorrowedFd<'_>, path: &Path) -> Result<(), Refusal> {
    let busy =
        |message: String| {
            let failure = Failure::new(Step::Cgroup, message).errno(libc::EBUSY);
            let failure = failure.path(path.to_string_lossy());
            Refusal::Busy(failure.advice(
                "a fixed group is for one program at a time; below a base, each has its own",
            ))
        };
    let path_is = path.display();
    if sys::try_lock(dir).unwrap_or(true) {
        // Or it was removed before it was locked, and the name means another one by now.
        return match is_at(dir, path) {
            Ok(true) => Ok(()),
            _ => Err(busy(format!("{path_is} is being removed"))),
        };
    }
    // Everybody who may look at a directory may lock it, so ask who that is.
    match holder(dir) {
        Some((_, user)) if user != 0 && user != nix::unistd::geteuid().as_raw() => Ok(()),
        Some((pid, _)) => Err(busy(format!("{path_is} is in use by process {pid}"))),
        // It may have let go by now.
        None => Err(busy(format!("{path_is} is in use"))),
    }
}

fn is_at(dir: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let (open, named) = (fstat(dir)?, fs::symlink_metadata(path)?);
    Ok((open.st_dev, open.st_ino) == (named.dev(), named.ino()))
}

/// The process that has the lock, and its user.
fn holder(dir: BorrowedFd<'_>) -> Option<(i32, u32)> {
    let pid = holder_in(&fs::read_to_string("/proc/locks").ok()?, &fstat(dir).ok()?)?;
    // The owner of its folder in /proc may be root, for reasons of its own.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    Some((pid, users.split_whitespace().nth(1)?.parse().ok()?))
}

/// `proc_locks(5)`: a number, kind, mode, access, process, and the file as device and inode.
fn holder_in(locks: &str, file: &FileStat) -> Option<i32> {
    let (major, minor) = (major(file.st_dev), minor(file.st_dev));
    let file = format!("{major:02x}:{minor:02x}:{}", file.st_ino);
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, pid, place, ..] if place == file => pid.parse().ok(),
            _ => None,
        }
    })
}
