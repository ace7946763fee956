// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Locks: one muontrap at a time owns a group. It holds an exclusive lock on the group's directory and
//! shared locks on the directories above it.
//!
//! Another one that is still ending an earlier program of this name would kill the next program with
//! it, or remove the group under its feet; and one that looks after a group above would kill what is
//! below. The kernel frees the locks of a process that is gone.
//!
//! Everybody who may read a directory may lock it, too. So a lock counts only if a process has it
//! that could be a muontrap.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::stat::{FileStat, fstat, major, minor};
use nix::unistd::{Pid, geteuid};

use super::tree;
use crate::cgroup::error::{Action, Error};
use crate::cgroup::fs::{is_denied, is_gone, open_dir};
use crate::cgroup::location::Location;
use crate::sys;

/// A child that has not executed its program yet shares the locks of the muontrap that forked it, and so holds
/// them for a moment after that one's death. Later, the lock of a dead process does not count.
pub(in crate::cgroup) const DEAD_HOLDER_TIMEOUT: Duration = Duration::from_secs(1);
/// A lock whose holder cannot be seen counts for this long, even when the group has no processes.
const UNSEEN_HOLDER_TIMEOUT: Duration = Duration::from_secs(4);

/// Takes the lock on the group of this path, which is open as `dir`, until that is closed. `since` is
/// when the first attempt was made.
pub(in crate::cgroup) fn lock(
    dir: BorrowedFd<'_>,
    path: &Path,
    since: Instant,
) -> Result<(), Error> {
    if !sys::try_lock(dir, false).unwrap_or(true) {
        judge(dir, path, since)?;
    }
    // It may have been removed before that, and the name mean another one by now.
    match is_at(dir, path) {
        Ok(true) => Ok(()),
        _ => Err(Error::Removed { path: path.into() }),
    }
}

/// Locks the groups above this one, shared, until what is returned is closed, so that no other muontrap takes
/// one of them. Groups that this process is in are left out: whoever owns them ends this process, too.
pub(super) fn lock_above(location: &Location, since: Instant) -> Result<Vec<OwnedFd>, Error> {
    let mut locks = vec![];
    let hierarchy = &location.hierarchy;
    for group in location
        .names_above()
        .filter(|group| !hierarchy.holds_us(group))
    {
        let path = hierarchy.directory(group);
        let dir = match open_dir(&path) {
            Ok(dir) => dir,
            // Nor can it be locked.
            Err(error) if is_denied(&error) => continue,
            Err(error) if is_gone(&error) => return Err(Error::Removed { path }),
            Err(error) => return Err(Error::io(Action::Open, &path, &error)),
        };
        if !sys::try_lock(dir.as_fd(), true).unwrap_or(true) {
            judge(dir.as_fd(), &path, since)?;
        }
        locks.push(dir);
    }
    Ok(locks)
}

fn is_at(dir: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let (open, named) = (fstat(dir)?, fs::symlink_metadata(path)?);
    Ok((open.st_dev, open.st_ino) == (named.dev(), named.ino()))
}

/// Fails if the lock that another process holds counts.
fn judge(dir: BorrowedFd<'_>, path: &Path, since: Instant) -> Result<(), Error> {
    let (holder, is_below) = match holder(dir) {
        Holder::Other => return Ok(()),
        Holder::Dead if since.elapsed() >= DEAD_HOLDER_TIMEOUT => return Ok(()),
        Holder::Unseen if since.elapsed() >= UNSEEN_HOLDER_TIMEOUT && is_empty(dir) => {
            return Ok(());
        }
        Holder::Dead | Holder::Unseen => (None, false),
        Holder::Muontrap(pid, place) => (Some(pid), place == Place::Below),
    };
    Err(Error::InUse {
        path: path.into(),
        holder,
        is_below,
    })
}

fn is_empty(dir: BorrowedFd<'_>) -> bool {
    tree::members(dir).is_ok_and(|members| members.count() == 0)
}

/// Which group a lock is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Below,
    Here,
}

/// Who has a lock, by how much it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    /// Another user.
    Other,
    /// A process that is gone, and left it to one that cannot be found.
    Dead,
    /// A process in another pid namespace, or hidden in `/proc`, or one that is gone.
    Unseen,
    /// This process, which may be one.
    Muontrap(i32, Place),
}

fn holder(dir: BorrowedFd<'_>) -> Holder {
    let (Ok(locks), Ok(file)) = (fs::read_to_string("/proc/locks"), fstat(dir)) else {
        return Holder::Unseen;
    };
    let holders = holders_in(&locks, &file);
    let holders = holders.into_iter();
    let seen = holders
        .map(|(pid, place)| classify(pid, place, &file))
        .max();
    seen.unwrap_or(Holder::Unseen)
}

/// `proc_locks(5)`: a number, kind, mode, access, process, and the file as device and inode.
fn holders_in(locks: &str, file: &FileStat) -> Vec<(i32, Place)> {
    let (major, minor) = (major(file.st_dev), minor(file.st_dev));
    let file = format!("{major:02x}:{minor:02x}:{}", file.st_ino);
    let holders = locks.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, access, pid, place, ..] = words[..] else {
            return None;
        };
        let kind = if access == "READ" {
            Place::Below
        } else {
            Place::Here
        };
        (place == file).then_some((pid.parse().ok()?, kind))
    });
    holders.collect()
}

/// The owner of a process's folder in /proc may be root, for reasons of its own. So the real user id is
/// asked for, which a setuid program does not change.
fn classify(pid: i32, place: Place, file: &FileStat) -> Holder {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        let is_dead = kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        return if is_dead {
            Holder::Dead
        } else {
            Holder::Unseen
        };
    };
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let user = users.and_then(|users| users.split_whitespace().next()?.parse::<u32>().ok());
    match user {
        Some(user) if user != 0 && user != geteuid().as_raw() => Holder::Other,
        // Another process has the pid of the one that is gone.
        Some(_) if has_open(pid, file) == Some(false) => Holder::Dead,
        Some(_) => Holder::Muontrap(pid, place),
        None => Holder::Dead,
    }
}

/// Whether a process has this file open; nothing when it may not be asked.
fn has_open(pid: i32, file: &FileStat) -> Option<bool> {
    let mut open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    Some(open.any(|entry| {
        let found = fs::metadata(entry.path());
        found.is_ok_and(|found| (found.dev(), found.ino()) == (file.st_dev, file.st_ino))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_have_a_lock_are_found() {
        let file = fstat(std::io::stdin()).expect("fstat");
        let place = format!(
            "{:02x}:{:02x}:{}",
            major(file.st_dev),
            minor(file.st_dev),
            file.st_ino
        );
        let locks = format!(
            "1: POSIX  ADVISORY  WRITE 5 {place} 0 EOF\n2: FLOCK  ADVISORY  READ 6 {place} 0 EOF\n\
             2: -> FLOCK  ADVISORY  WRITE 7 {place} 0 EOF\n3: FLOCK  ADVISORY  WRITE 8 00:01:2 0 EOF\n\
             4: FLOCK  ADVISORY  WRITE 9 {place} 0 EOF\n"
        );
        let expected = [(6, Place::Below), (9, Place::Here)];
        assert_eq!(holders_in(&locks, &file), expected);
    }

    #[test]
    fn a_process_that_holds_a_lock_counts_most() {
        let order = [
            Holder::Other,
            Holder::Dead,
            Holder::Unseen,
            Holder::Muontrap(9, Place::Below),
        ];
        assert!(order.is_sorted());
        let file = fstat(std::io::stdin()).expect("fstat");
        assert_eq!(classify(i32::MAX, Place::Here, &file), Holder::Dead);
    }
}
