// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Who must never be killed: this process, its parent (the BEAM), and the processes above it.

use std::path::Path;

use super::fs::read;
use super::group::Group;
use super::tree::Members;
use crate::error::{Failure, Step};
use crate::process::proc_table::parse_stat;

/// This process and its ancestors, up to the first that cannot be seen.
pub(super) fn protected() -> Vec<i32> {
    let mut line = vec![nix::unistd::getpid().as_raw()];
    let mut parent = nix::unistd::getppid().as_raw();
    // A parent outside of our pid namespace is 0. The second test ends a circle, which pids that
    // are reused while we look could make.
    while parent > 0 && !line.contains(&parent) {
        line.push(parent);
        let stat = read(Path::new(&format!("/proc/{parent}/stat"))).unwrap_or_default();
        parent = parse_stat(&stat).map_or(0, |process| process.ppid);
    }
    line
}

/// Refuses a group that we or those above us are in, or in a sub-group of.
pub(super) fn refuse_own(group: &Group, request: &str, members: &Members) -> Result<(), Failure> {
    let protected = protected();
    let inside = members.pids.iter().find(|pid| protected.contains(pid));
    let what = match inside {
        Some(&pid) if pid == protected[0] => "muontrap itself".to_string(),
        Some(pid) => format!("process {pid}, which started muontrap"),
        None if group.hierarchy.holds_us(request) => "muontrap itself".to_string(),
        None => return Ok(()),
    };
    let message = format!("refusing to use {}: it holds {what}", group.path.display());
    Err(Failure::new(Step::Cgroup, message)
        .errno(libc::EBUSY)
        .path(&group.path)
        .advice("choose a group of its own for the program, such as a new one beside it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_begins_with_us_and_our_parent() {
        let line = protected();
        assert_eq!(line[0], nix::unistd::getpid().as_raw());
        if nix::unistd::getppid().as_raw() != 0 {
            assert_eq!(line[1], nix::unistd::getppid().as_raw());
        }
    }
}
