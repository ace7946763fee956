// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The hierarchies of a host, until something is mounted or unmounted.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use super::host::Host;

/// The mounted hierarchies, and a file by which the kernel tells that they may have changed.
#[derive(Debug)]
pub struct WatchedHost {
    /// Without the controllers of v2, which may change at any time.
    pub host: Host,
    /// poll(2) reports `POLLPRI` after each change of a mount.
    pub mounts: File,
}

impl WatchedHost {
    /// `None` where that is not possible.
    pub fn detect() -> Option<Self> {
        // Before reading, so that no change is missed.
        let mounts = File::open("/proc/self/mountinfo").ok()?;
        let host = Host::detect_mounted().ok()?;
        Some(Self { host, mounts })
    }
}

impl AsFd for WatchedHost {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mounts.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::cgroup::test_support::{finish, request, unique};
    use crate::cgroup::{Cgroup, Hierarchy};
    use crate::wait::Undisturbed;

    fn has_changed(watched: &WatchedHost, timeout: PollTimeout) -> bool {
        let mut fds = [PollFd::new(watched.as_fd(), PollFlags::POLLPRI)];
        poll(&mut fds, timeout).expect("poll") > 0
    }

    /// Another test may mount something, so that it has to be detected once more.
    #[test]
    #[ignore = "needs root and a mount namespace"]
    fn a_mount_is_a_change() {
        let directory = tempfile::tempdir().expect("a directory");
        let watched = loop {
            let watched = WatchedHost::detect().expect("a host");
            if !has_changed(&watched, PollTimeout::ZERO) {
                break watched;
            }
        };
        let mount = |program: &str, arguments: &[&str]| {
            let status = std::process::Command::new(program)
                .args(arguments)
                .arg(directory.path())
                .status();
            assert!(status.expect(program).success());
        };
        mount("mount", &["-t", "tmpfs", "tmpfs"]);
        let has_changed = has_changed(&watched, PollTimeout::from(60_000_u16));
        mount("umount", &[]);
        assert!(has_changed);
    }

    #[test]
    #[ignore = "needs cgroups"]
    fn a_host_that_is_out_of_date() {
        let host = Host::detect_mounted().expect("a host");
        let elsewhere = tempfile::tempdir().expect("a directory");
        let hierarchies = host.hierarchies.iter().map(|hierarchy| Hierarchy {
            mount_point: elsewhere.path().to_owned(),
            ..hierarchy.clone()
        });
        let old = Host {
            hierarchies: hierarchies.collect(),
        };
        for known in [Some(&old), Some(&Host::default()), Some(&host), None] {
            let request = request(&unique(), &[]);
            let created = Cgroup::create_for(&request, known, &Undisturbed);
            let mut cgroup = created.expect("a group");
            assert!(
                std::fs::read_dir(&elsewhere)
                    .expect("list")
                    .next()
                    .is_none()
            );
            finish(&mut cgroup);
        }
    }

    #[test]
    #[ignore = "needs cgroups"]
    fn controllers_are_read_when_they_are_needed() {
        let host = Host::detect_mounted().expect("a host");
        let request = request(&unique(), &[("memory.max", "64M")]);
        let created = Cgroup::create_for(&request, Some(&host), &Undisturbed);
        finish(&mut created.expect("a group"));
    }
}
