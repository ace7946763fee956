// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The two versions of cgroups.

use std::fmt;

use super::interface::Interface;
use super::{v1, v2};

/// Each version has names and units of its own for settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller, or for a few of them.
    V1,
    /// One hierarchy for all controllers.
    V2,
}

impl Version {
    /// In the order in which files are looked for: on a host with both, v2 may have what v1 does not.
    pub(in crate::cgroup) const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// That of a hierarchy, given its controllers in `/proc/self/cgroup`.
    pub(in crate::cgroup) fn of_hierarchy(controllers: &str) -> Self {
        if controllers.is_empty() {
            Self::V2
        } else {
            Self::V1
        }
    }

    pub const fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    pub(in crate::cgroup) fn interface(self) -> &'static Interface {
        match self {
            Self::V1 => &v1::INTERFACE,
            Self::V2 => &v2::INTERFACE,
        }
    }
}

/// Whether a file system of this type is a hierarchy of either version.
pub(in crate::cgroup) fn is_cgroup(filesystem: &str) -> bool {
    let mut versions = Version::ALL.into_iter();
    versions.any(|version| version.interface().filesystem == filesystem)
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cgroup v{}", self.number())
    }
}
