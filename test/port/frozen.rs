// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A group of cgroup v1 that can be frozen. Its processes do not die before it is thawed, even of SIGKILL.

use crate::processes::eventually;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// It is thawed and removed in the end.
pub struct Frozen {
    pub path: PathBuf,
}

impl Frozen {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muontrap-test-frozen-{}-{count}", std::process::id());
        let path = Path::new("/sys/fs/cgroup/freezer").join(name);
        fs::create_dir(&path).unwrap();
        Self { path }
    }

    pub fn freeze(&self, pid: i32) {
        fs::write(self.path.join("cgroup.procs"), pid.to_string()).unwrap();
        let state = self.path.join("freezer.state");
        fs::write(&state, "FROZEN").unwrap();
        eventually("it is frozen", || {
            fs::read_to_string(&state).unwrap() == "FROZEN\n"
        });
    }

    pub fn thaw(&self) {
        fs::write(self.path.join("freezer.state"), "THAWED").unwrap();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.thaw();
        eventually("the group is empty", || fs::remove_dir(&self.path).is_ok());
    }
}
