// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Finding the process that holds a lock. Any user who may read a directory may lock it, so a lock counts only if
//! its holder could be a muontrap.

use std::fs;
use std::os::fd::BorrowedFd;

use libc::{major, minor};
use nix::errno::Errno;
use nix::sys::signal::kill;

use nix::sys::stat::{FileStat, fstat, stat};
use nix::unistd::{Pid, geteuid};

/// The group that the holder of a lock uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Used {
    /// One below the locked directory.
    Below,
    /// The locked directory.
    Itself,
}

/// The holder of a lock. Of several, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// A process of another user.
    OtherUser,
    /// A process that has ended, and whose descriptor is held by one that cannot be found.
    Dead,
    /// A process in another pid namespace, or hidden in `/proc`, or one that has ended.
    Unseen,
    /// A process that could be a muontrap.
    Process(i32, Used),
}

/// The holder of the lock on a directory.
pub(super) fn holder(dir: BorrowedFd<'_>) -> Holder {
    let (Ok(locks), Ok(file)) = (fs::read_to_string("/proc/locks"), fstat(dir)) else {
        return Holder::Unseen;
    };
    let holders = holders_in(&locks, &file);
    let holders = holders.into_iter();
    let seen = holders.map(|(pid, used)| classify(pid, used, &file)).max();
    seen.unwrap_or(Holder::Unseen)
}

/// `proc_locks(5)`: a number, kind, mode, access, process, and the file as device and inode.
fn holders_in(locks: &str, file: &FileStat) -> Vec<(i32, Used)> {
    let (major, minor) = (major(file.st_dev), minor(file.st_dev));
    let file = format!("{major:02x}:{minor:02x}:{}", file.st_ino);
    let holders = locks.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, access, pid, locked, ..] = words[..] else {
            return None;
        };
        let used = if access == "READ" {
            Used::Below
        } else {
            Used::Itself
        };
        (locked == file).then_some((pid.parse().ok()?, used))
    });
    holders.collect()
}

/// The directory of a process in /proc may belong to root although the process does not. So the real user id
/// decides, which a setuid program does not change.
fn classify(pid: i32, used: Used, file: &FileStat) -> Holder {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        let is_dead = kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        return if is_dead {
            Holder::Dead
        } else {
            Holder::Unseen
        };
    };
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let uid = uids.and_then(|uids| uids.split_whitespace().next()?.parse::<u32>().ok());
    match uid {
        Some(uid) if uid != 0 && uid != geteuid().as_raw() => Holder::OtherUser,
        // Another process has its pid by now.
        Some(_) if has_open(pid, file) == Some(false) => Holder::Dead,
        Some(_) => Holder::Process(pid, used),
        None => Holder::Dead,
    }
}

/// Whether a process has this file open; `None` without the permission to look.
fn has_open(pid: i32, file: &FileStat) -> Option<bool> {
    let mut open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    Some(open.any(|entry| {
        let found = stat(&entry.path());
        found.is_ok_and(|found| (found.st_dev, found.st_ino) == (file.st_dev, file.st_ino))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holders_of_a_lock_are_found() {
        let file = fstat(std::io::stdin()).expect("fstat");
        let locked = format!(
            "{:02x}:{:02x}:{}",
            major(file.st_dev),
            minor(file.st_dev),
            file.st_ino
        );
        let locks = format!(
            "1: POSIX  ADVISORY  WRITE 5 {locked} 0 EOF\n2: FLOCK  ADVISORY  READ 6 {locked} 0 EOF\n\
             2: -> FLOCK  ADVISORY  WRITE 7 {locked} 0 EOF\n3: FLOCK  ADVISORY  WRITE 8 00:01:2 0 EOF\n\
             4: FLOCK  ADVISORY  WRITE 9 {locked} 0 EOF\n"
        );
        let expected = [(6, Used::Below), (9, Used::Itself)];
        assert_eq!(holders_in(&locks, &file), expected);
    }

    #[test]
    fn the_order_of_holders() {
        let order = [
            Holder::OtherUser,
            Holder::Dead,
            Holder::Unseen,
            Holder::Process(9, Used::Below),
        ];
        assert!(order.is_sorted());
        let file = fstat(std::io::stdin()).expect("fstat");
        assert_eq!(classify(i32::MAX, Used::Itself, &file), Holder::Dead);
    }
}
