// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A group and all groups below it.
//!
//! The walk holds one directory open and goes down and up by name, so that no depth of nesting exhausts the
//! stack, the descriptors or the length of a path.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::cgroup::fs::{is_gone, open_at, read_at, write_at};

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW);

/// The processes of a group and the groups below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cgroup) struct Members {
    pub pids: Vec<i32>,
    /// How many more there are in other pid namespaces: the kernel lists those as 0, which as the target of a
    /// signal would mean the process group of muontrap.
    pub foreign: usize,
}

impl Members {
    pub fn count(&self) -> usize {
        self.pids.len() + self.foreign
    }

    fn add(&mut self, list: &str) {
        for pid in list.lines().filter_map(|line| line.parse::<i32>().ok()) {
            if pid > 0 {
                self.pids.push(pid);
            } else {
                self.foreign += 1;
            }
        }
    }
}

/// All processes in the group and below. Zombies are not listed.
pub(in crate::cgroup) fn members(top: BorrowedFd<'_>) -> io::Result<Members> {
    let mut found = Members::default();
    visit(top, &mut |dir| {
        match read_at(dir, "cgroup.procs") {
            // Before Linux 5.2, the file leaves out processes whose first thread has ended.
            Ok(list) if list.is_empty() => {
                found.add(&read_at(dir, "cgroup.threads").unwrap_or_default());
            }
            Ok(list) => found.add(&list),
            // In a threaded group; its processes are listed in one above.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    })?;
    Ok(found)
}

/// Writes the same value to a file of every group that has it.
pub(in crate::cgroup) fn write_all(top: BorrowedFd<'_>, file: &str, value: &str) -> io::Result<()> {
    visit(top, &mut |dir| match write_at(dir, file, value) {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    })
}

/// The sum of what `number` finds in every group.
pub(in crate::cgroup) fn sum(
    top: BorrowedFd<'_>,
    number: impl Fn(BorrowedFd<'_>) -> u64,
) -> io::Result<u64> {
    let mut total = 0;
    visit(top, &mut |dir| {
        total += number(dir);
        Ok(())
    })?;
    Ok(total)
}

type Visit<'a> = &'a mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>;

/// Calls `act` with the group and each group below it, parents first.
fn visit(top: BorrowedFd<'_>, act: Visit<'_>) -> io::Result<()> {
    act(top)?;
    walk(top, act, &mut |_, _| Ok(true)).map(|_| ())
}

/// Removes all groups below this one that are empty, deepest first, and returns whether none is left.
pub(in crate::cgroup) fn remove_below(top: BorrowedFd<'_>) -> io::Result<bool> {
    walk(top, &mut |_| Ok(()), &mut |parent, name| match unlinkat(
        parent,
        name,
        UnlinkatFlags::RemoveDir,
    )
    .map_err(io::Error::from)
    {
        Ok(()) => Ok(true),
        Err(error) => removal(error),
    })
}

/// Walks through all groups below this one. Calls `enter` on the way down, and on the way up `leave` with the
/// parent and the name, which ends the walk by returning false.
fn walk(
    top: BorrowedFd<'_>,
    enter: Visit<'_>,
    leave: &mut dyn FnMut(BorrowedFd<'_>, &OsStr) -> io::Result<bool>,
) -> io::Result<bool> {
    let mut todo = vec![children(top)?];
    let mut path: Vec<OsString> = vec![];
    let mut current: Option<OwnedFd> = None;
    while let Some(names) = todo.last_mut() {
        let here = current.as_ref().map_or(top, AsFd::as_fd);
        if let Some(name) = names.pop() {
            // Groups may be created and removed meanwhile.
            let Some(child) = unless_gone(open_at(here, name.as_os_str(), DIRECTORY))? else {
                continue;
            };
            enter(child.as_fd())?;
            todo.push(children(child.as_fd())?);
            path.push(name);
            current = Some(child);
        } else {
            todo.pop();
            let Some(name) = path.pop() else { break };
            let Some(parent) = unless_gone(open_at(here, "..", DIRECTORY))? else {
                return Ok(false);
            };
            if !leave(parent.as_fd(), &name)? {
                return Ok(false);
            }
            current = Some(parent);
        }
    }
    Ok(true)
}

/// The result of a failed `rmdir(2)`: whether the group is gone, or the error if it is never going to be.
pub(in crate::cgroup) fn removal(error: io::Error) -> io::Result<bool> {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV) => Ok(true),
        Some(libc::EBUSY | libc::ENOTEMPTY) => Ok(false),
        _ => Err(error),
    }
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names of the groups directly below.
fn children(dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    // kernfs counts 2 links for a directory, and one more for each directory in it.
    if nix::sys::stat::fstat(dir)?.st_nlink == 2 {
        return Ok(vec![]);
    }
    let mut names = vec![];
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    let Some(entries) = unless_gone(std::fs::read_dir(path))? else {
        return Ok(names);
    };
    for entry in entries {
        let Some(entry) = unless_gone(entry)? else {
            return Ok(names);
        };
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::cgroup::fs::open_dir;

    fn group(path: &Path, pids: &str) {
        fs::create_dir_all(path).expect("directory");
        fs::write(path.join("cgroup.procs"), pids).expect("cgroup.procs");
    }

    #[test]
    fn members_of_the_whole_tree() {
        let directory = tempfile::tempdir().expect("a directory");
        group(directory.path(), "1\n2\n");
        group(&directory.path().join("a"), "3\n0\n");
        group(&directory.path().join("a/b"), "");
        group(&directory.path().join("a/b/c"), "4\n");
        group(&directory.path().join("d"), "0\n5\n");
        let dir = open_dir(directory.path()).expect("open");
        let mut members = members(dir.as_fd()).expect("members");
        members.pids.sort_unstable();
        assert_eq!(
            members,
            Members {
                pids: vec![1, 2, 3, 4, 5],
                foreign: 2
            }
        );
        assert_eq!(members.count(), 7);
    }

    #[test]
    fn threads_of_a_process_that_is_not_listed() {
        let directory = tempfile::tempdir().expect("a directory");
        group(directory.path(), "");
        fs::write(directory.path().join("cgroup.threads"), "7\n8\n").expect("cgroup.threads");
        let dir = open_dir(directory.path()).expect("open");
        assert_eq!(members(dir.as_fd()).expect("members").pids, [7, 8]);
    }

    #[test]
    fn a_group_without_the_file_counts_as_empty() {
        let directory = tempfile::tempdir().expect("a directory");
        let dir = open_dir(directory.path()).expect("open");
        assert_eq!(members(dir.as_fd()).expect("members").count(), 0);
    }

    #[test]
    fn nesting_beyond_the_limits_of_paths_and_descriptors() {
        let directory = tempfile::tempdir().expect("a directory");
        let dir = open_dir(directory.path()).expect("open");
        let name = "x".repeat(100);
        let mut current = dir.try_clone().expect("clone");
        for _ in 0..2000 {
            nix::sys::stat::mkdirat(&current, name.as_str(), nix::sys::stat::Mode::S_IRWXU)
                .expect("mkdir");
            current = open_at(&current, name.as_str(), DIRECTORY).expect("open");
        }
        let depth = sum(dir.as_fd(), |_| 1).expect("walk");
        assert_eq!(depth, 2001);
        assert!(remove_below(dir.as_fd()).expect("remove"));
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 0);
    }

    #[test]
    fn groups_that_are_not_empty_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(directory.path().join("a/b")).expect("directory");
        fs::write(directory.path().join("a/file"), "").expect("file");
        let dir = open_dir(directory.path()).expect("open");
        assert!(!remove_below(dir.as_fd()).expect("remove"));
        assert!(!directory.path().join("a/b").exists());
        assert!(directory.path().join("a").exists());
    }

    #[test]
    fn the_same_value_in_every_group() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(directory.path().join("a/b")).expect("directory");
        for path in ["freezer.state", "a/b/freezer.state"] {
            fs::write(directory.path().join(path), "").expect("file");
        }
        let dir = open_dir(directory.path()).expect("open");
        write_all(dir.as_fd(), "freezer.state", "THAWED").expect("write");
        let text = fs::read_to_string(directory.path().join("a/b/freezer.state"));
        assert_eq!(text.expect("read"), "THAWED");
    }
}
