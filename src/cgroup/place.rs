// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Where the groups of a program are, for when what holds them is out of reach.

use std::path::PathBuf;

use super::Cgroup;
use super::group::Group;
use super::held::Held;
use super::mounts::{Hierarchy, Version};

/// The directories of a [`Cgroup`], each with whether it was there before.
#[derive(Clone, Debug)]
pub struct Place {
    version: Version,
    groups: Vec<(Hierarchy, PathBuf, bool)>,
}

impl Place {
    pub(super) fn of(held: &Held) -> Self {
        let groups = held.groups.iter();
        let groups = groups.map(|group| {
            let (hierarchy, path) = (group.hierarchy.clone(), group.path.clone());
            (hierarchy, path, group.existed)
        });
        Self {
            version: held.version,
            groups: groups.collect(),
        }
    }

    /// Opens the groups again, as far as they are there, without asking for their locks: this process
    /// has those.
    pub fn open(self) -> Cgroup {
        let groups = self
            .groups
            .into_iter()
            .filter_map(|(hierarchy, path, existed)| {
                Group::open_at_path(&hierarchy, path, existed).ok()
            });
        let held = Held::new(self.version, groups.collect());
        match self.version {
            Version::V1 => Cgroup::V1(held),
            Version::V2 => Cgroup::V2(held),
        }
    }
}
