// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Groups that are frozen, themselves or by a group above: `freezer.state` on v1, `cgroup.freeze` on v2.

use std::io;
use std::path::{Path, PathBuf};

use super::advice;
use super::fs::read;
use super::group::Group;
use super::lock::Refusal;
use super::mounts::Version;
use super::tree;
use crate::error::{Failure, Step};

impl Group {
    /// In a frozen group, a program would stop before its first instruction, and whoever starts it wait
    /// for it.
    pub fn refuse_frozen(&self) -> Result<(), Refusal> {
        let Some(frozen) = self.frozen_above() else {
            return Ok(());
        };
        Err(Refusal::Busy(self.not_while_frozen("start", &frozen)))
    }

    /// What a program cannot do while a group above is frozen.
    pub fn not_while_frozen(&self, what: &str, frozen: &Path) -> Failure {
        let (group, path) = (self.path.display(), frozen.display());
        let message = format!("a program in {group} cannot {what}: {path} above it is frozen");
        Failure::new(Step::Cgroup, message)
            .errno(libc::EBUSY)
            .path(frozen)
            .advice(advice::thaw(self.hierarchy.version, frozen))
    }

    /// The nearest group above this one that keeps it frozen.
    pub fn frozen_above(&self) -> Option<PathBuf> {
        let (file, frozen) = match self.hierarchy.version {
            Version::V1 if self.read("freezer.parent_freezing").ok()?.trim() == "1" => {
                ("freezer.self_freezing", "1")
            }
            Version::V2 if self.is_frozen() => ("cgroup.freeze", "1"),
            _ => return None,
        };
        let mut above = self.path.ancestors().skip(1);
        let is_frozen =
            |path: &&Path| read(&path.join(file)).is_ok_and(|text| text.trim() == frozen);
        above.find(is_frozen).map(Path::to_path_buf)
    }

    fn is_frozen(&self) -> bool {
        let events = self.read("cgroup.events").unwrap_or_default();
        events.lines().any(|line| line == "frozen 1")
    }

    /// Lets its processes go on, also those that were frozen in groups below it.
    pub fn thaw(&self) -> io::Result<()> {
        let (file, value) = match self.hierarchy.version {
            Version::V1 => ("freezer.state", "THAWED"),
            Version::V2 => ("cgroup.freeze", "0"),
        };
        tree::write_all(self.dir(), file, value)
    }
}
