// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frozen groups: `freezer.state` on v1, `cgroup.freeze` on v2.

use std::io;
use std::path::PathBuf;

use super::open::Group;
use super::tree;
use crate::cgroup::error::{Blocked, Error};
use crate::cgroup::fs::read;

impl Group {
    /// Fails if a group above is frozen: the program would stop before its first instruction, and its exec
    /// would be waited for in vain.
    pub fn refuse_frozen(&self) -> Result<(), Error> {
        self.frozen(Blocked::Start).map_or(Ok(()), Err)
    }

    /// What keeps a program from starting or ending: the nearest group above that is frozen.
    pub fn frozen(&self, blocked: Blocked) -> Option<Error> {
        Some(Error::Frozen {
            group: self.location.path.clone(),
            file: self.frozen_above()?,
            blocked,
        })
    }

    /// The file of the nearest group above that keeps this one frozen.
    fn frozen_above(&self) -> Option<PathBuf> {
        let (file, shown_in) = if self.is_v2() {
            let events = self.read("cgroup.events").ok()?;
            events.lines().find(|line| *line == "frozen 1")?;
            ("cgroup.freeze", "cgroup.freeze")
        } else {
            let parent = self.read("freezer.parent_freezing").ok()?;
            (parent.trim() == "1").then_some(("freezer.state", "freezer.self_freezing"))?
        };
        let mut above = self.location.path.ancestors().skip(1);
        let frozen = above.find(|path| {
            let text = read(&path.join(shown_in));
            text.is_ok_and(|text| text.trim() == "1")
        });
        Some(frozen?.join(file))
    }

    /// Thaws it and all groups below it.
    pub fn thaw(&self) -> io::Result<()> {
        let (file, value) = if self.is_v2() {
            ("cgroup.freeze", "0")
        } else {
            ("freezer.state", "THAWED")
        };
        tree::write_all(self.dir(), file, value)
    }
}
