// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frozen groups.

use std::io;
use std::path::PathBuf;

use super::open::Group;
use super::tree;
use crate::cgroup::error::{Blocked, Error};
use crate::cgroup::fs::read;

impl Group {
    /// Fails if a group above is frozen: the program would stop before its exec, for which the session waits.
    pub fn refuse_frozen(&self) -> Result<(), Error> {
        self.frozen(Blocked::Start).map_or(Ok(()), Err)
    }

    /// The error that a program cannot start or end because a group above is frozen.
    pub fn frozen(&self, blocked: Blocked) -> Option<Error> {
        Some(Error::Frozen {
            group: self.location.path.clone(),
            file: self.frozen_above()?,
            blocked,
        })
    }

    /// The file of the nearest group above that was frozen, if this keeps the group frozen.
    fn frozen_above(&self) -> Option<PathBuf> {
        let freezer = self.freezer()?;
        let text = self.read(freezer.inherited.file).ok()?;
        if !freezer.inherited.is_set(&text) {
            return None;
        }
        let mut above = self.location.path.ancestors().skip(1);
        let frozen = above.find(|path| {
            let text = read(&path.join(freezer.own));
            text.is_ok_and(|text| text.trim() == "1")
        });
        Some(frozen?.join(freezer.file))
    }

    /// Whether a frozen process in the group does not die of SIGKILL until it is thawed.
    pub fn holds_killed(&self) -> bool {
        self.freezer().is_some_and(|freezer| freezer.holds_killed)
    }

    /// Thaws the group and all groups below it. Does nothing where there is no freezer.
    pub fn thaw(&self) -> io::Result<()> {
        self.freezer().map_or(Ok(()), |freezer| {
            tree::write_all(self.dir(), freezer.file, freezer.thaw)
        })
    }
}
