// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The two versions of cgroups.

use std::fmt;

use super::interface::Interface;
use super::{v1, v2};

/// A version of cgroups. Each has its own names and units for settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller, or for a few of them.
    V1,
    /// One hierarchy for all controllers.
    V2,
}

impl Version {
    /// Both, in the order in which a file is looked for on a host that has both.
    pub(in crate::cgroup) const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The version of a hierarchy, given the controllers that `/proc/self/cgroup` lists for it.
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
