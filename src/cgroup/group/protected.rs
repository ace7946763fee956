// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes that must never be killed: this one, its parent (the BEAM), and the processes above that.

use std::path::Path;

use super::open::Group;
use super::tree;
use crate::cgroup::error::{Attempt, Error};
use crate::cgroup::fs::read;

/// This process and its ancestors, up to the first that cannot be seen.
fn protected() -> Vec<i32> {
    let mut line = vec![nix::unistd::getpid().as_raw()];
    let mut parent = nix::unistd::getppid().as_raw();
    // A parent outside of this pid namespace is 0. The second condition ends a cycle, which is possible when
    // pids are reused meanwhile.
    while parent > 0 && !line.contains(&parent) {
        line.push(parent);
        parent = parent_of(parent).unwrap_or(0);
    }
    line
}

fn parent_of(pid: i32) -> Option<i32> {
    let status = read(Path::new(&format!("/proc/{pid}/status"))).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent?.trim().parse().ok()
}

/// Refuses a group that holds any of them, itself or in a group below.
pub(in crate::cgroup) fn refuse_own(group: &Group) -> Result<(), Error> {
    let path = &group.location.path;
    let members = tree::members(group.dir())
        .map_err(|error| Error::io(Attempt::Read, &path.join("cgroup.procs"), &error))?;
    let protected = protected();
    let inside = members.pids.iter().find(|pid| protected.contains(pid));
    let ancestor = match inside {
        Some(pid) if *pid == protected[0] => None,
        None if group.location.holds_us() => None,
        None => return Ok(()),
        Some(pid) => Some(*pid),
    };
    Err(Error::HoldsMuontrap {
        path: path.clone(),
        ancestor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_begins_with_this_process_and_its_parent() {
        let line = protected();
        assert_eq!(line[0], nix::unistd::getpid().as_raw());
        if nix::unistd::getppid().as_raw() != 0 {
            assert_eq!(line[1], nix::unistd::getppid().as_raw());
        }
    }

    #[test]
    fn the_parent_of_a_process() {
        let parent = nix::unistd::getppid().as_raw();
        assert_eq!(parent_of(nix::unistd::getpid().as_raw()), Some(parent));
        assert_eq!(parent_of(i32::MAX), None);
    }
}
