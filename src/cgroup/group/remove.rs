// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Removing a group and the groups below it.

use std::io;
use std::path::Path;

use super::open::Group;
use super::tree;
use crate::cgroup::fs::is_denied;

impl Group {
    /// Tries once to remove it and all groups below it, and returns whether it is gone. A group that existed
    /// before and that this user may not remove is only emptied: it was prepared for us, and stays.
    pub fn remove(&mut self) -> io::Result<bool> {
        if self.is_removed {
            return Ok(true);
        }
        // The common case has no groups below and takes one system call.
        let mut gone = remove_directory(&self.location.path);
        if matches!(gone, Ok(false)) && tree::remove_below(self.dir())? {
            gone = remove_directory(&self.location.path);
        }
        self.is_removed = match gone {
            Err(error) if self.existed && is_denied(&error) => tree::remove_below(self.dir())?,
            other => other?,
        };
        if self.is_removed {
            self.locks_above.clear();
        }
        Ok(self.is_removed)
    }
}

fn remove_directory(path: &Path) -> io::Result<bool> {
    std::fs::remove_dir(path).map_or_else(tree::removal, |()| Ok(true))
}
