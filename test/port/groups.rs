// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Control groups of tests, in all hierarchies.

use crate::processes::{PAUSE, TIMEOUT};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// The name of a group that nothing else uses. What is left of it is removed in the end, also when the test fails.
///
/// A test declares it before what uses it, so that it is dropped when the processes are gone.
pub struct Group {
    pub name: String,
}

impl Group {
    pub fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muontrap-test-{what}-{}-{count}", std::process::id());
        Self { name }
    }

    /// Creates it in the hierarchy of v2, and returns its directory.
    pub fn create(&self) -> PathBuf {
        let mount = mount_points(" - cgroup2 ").into_iter().next();
        let path = mount.unwrap().join(&self.name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// The paths of a group below it, also in hierarchies where it has no directory.
    pub fn below(&self) -> Vec<String> {
        let paths = self.paths();
        let below = paths.map(|path| format!("{}/below", path.display()));
        below.collect()
    }

    pub fn directories(&self) -> Vec<PathBuf> {
        self.paths().filter(|path| path.exists()).collect()
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let points = mount_points(" - cgroup").into_iter();
        points.map(|point| point.join(&self.name))
    }

    #[track_caller]
    pub fn assert_removed(&self) {
        assert_eq!(self.directories(), Vec::<PathBuf>::new());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = Instant::now() + TIMEOUT;
        // The kernel refuses while a process in it is dying.
        while !self.directories().iter().all(|path| remove(path)) && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether a directory could be removed, with those below it.
fn remove(path: &Path) -> bool {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    below.for_each(|entry| _ = remove(&entry.path()));
    fs::remove_dir(path).is_ok()
}

fn mount_points(kind: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let lines = mounts.lines().filter(|line| line.contains(kind));
    lines
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .collect()
}
