// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Locks: one muontrap at a time uses a group. It holds an exclusive flock(2) on the group's directory and
//! shared ones on the directories above it.
//!
//! Without them, one that is still ending an earlier program in this group would kill the next program, too, or
//! remove the group that it is about to enter; and so would one that uses a group above. The kernel releases
//! the locks of a process that has ended.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::stat::{fstat, lstat};

use super::holder::{Holder, Used, holder};
use super::tree;
use crate::cgroup::error::{Attempt, Error};
use crate::cgroup::fs::{is_denied, is_gone, open_dir};
use crate::cgroup::location::Location;
use crate::sys;

/// Between fork and exec, a child shares the locks of the muontrap that forked it, and so keeps them for a
/// moment after that one's death. After this time, the lock of a dead process does not count.
pub(in crate::cgroup) const DEAD_HOLDER_TIMEOUT: Duration = Duration::from_secs(1);
/// A lock whose holder cannot be seen counts for this long, even when the group has no processes.
const UNSEEN_HOLDER_TIMEOUT: Duration = Duration::from_secs(4);

/// Locks the group of this path, which is open as `dir`, until that is closed. `since` is when the first
/// attempt was made.
pub(in crate::cgroup) fn lock(
    dir: BorrowedFd<'_>,
    path: &Path,
    since: Instant,
) -> Result<(), Error> {
    lock_directory(dir, path, since)?;
    refuse_removed(dir, path)
}

/// As [`lock`], but the directory may have been removed before it was locked, and another one created at the path.
pub(super) fn lock_directory(
    dir: BorrowedFd<'_>,
    path: &Path,
    since: Instant,
) -> Result<(), Error> {
    if sys::try_lock(dir, false).unwrap_or(true) {
        Ok(())
    } else {
        check_holder(dir, path, since)
    }
}

/// Fails if the directory is not at the path any more.
pub(super) fn refuse_removed(dir: BorrowedFd<'_>, path: &Path) -> Result<(), Error> {
    match is_at(dir, path) {
        Ok(true) => Ok(()),
        _ => Err(Error::Removed { path: path.into() }),
    }
}

/// Locks the groups above, shared, until the returned descriptors are closed, so that no other muontrap can use
/// one of them. Groups that hold this process are left out: their owner ends this process, too.
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
            // What cannot be opened cannot be locked.
            Err(error) if is_denied(&error) => continue,
            Err(error) if is_gone(&error) => return Err(Error::Removed { path }),
            Err(error) => return Err(Error::io(Attempt::Open, &path, &error)),
        };
        if !sys::try_lock(dir.as_fd(), true).unwrap_or(true) {
            check_holder(dir.as_fd(), &path, since)?;
        }
        locks.push(dir);
    }
    Ok(locks)
}

fn is_at(dir: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let (open, named) = (fstat(dir)?, lstat(path)?);
    Ok((open.st_dev, open.st_ino) == (named.st_dev, named.st_ino))
}

/// Fails if the lock that another process holds counts.
fn check_holder(dir: BorrowedFd<'_>, path: &Path, since: Instant) -> Result<(), Error> {
    let (holder, is_below) = match holder(dir) {
        Holder::OtherUser => return Ok(()),
        Holder::Dead if since.elapsed() >= DEAD_HOLDER_TIMEOUT => return Ok(()),
        Holder::Unseen if since.elapsed() >= UNSEEN_HOLDER_TIMEOUT && is_empty(dir) => {
            return Ok(());
        }
        Holder::Dead | Holder::Unseen => (None, false),
        Holder::Process(pid, used) => (Some(pid), used == Used::Below),
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
