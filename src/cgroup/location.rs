// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Where a group is, whether it exists or not.

use std::fs;
use std::path::PathBuf;

use nix::unistd::AccessFlags;

use super::error::{Attempt, Error, errno_of};
use super::fs::may;
use super::host::Hierarchy;

/// The place of a group in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub hierarchy: Hierarchy,
    /// Its path in the hierarchy, without a leading `/`.
    pub name: String,
    /// Its directory.
    pub path: PathBuf,
}

impl Location {
    /// The location of a group. Its path may have a leading `/`.
    pub fn new(hierarchy: &Hierarchy, group: &str) -> Self {
        Self {
            hierarchy: hierarchy.clone(),
            name: group.trim_start_matches('/').into(),
            path: hierarchy.directory(group),
        }
    }

    /// The paths of the groups above it in the hierarchy, from the top down, without the root.
    pub(super) fn names_above(&self) -> impl Iterator<Item = &str> {
        let slashes = self.name.match_indices('/');
        slashes.map(|(index, _)| &self.name[..index])
    }

    /// The directories above it, from the root of the hierarchy down.
    pub(super) fn above(&self) -> Vec<PathBuf> {
        let groups = self
            .names_above()
            .map(|name| self.hierarchy.directory(name));
        std::iter::once(self.hierarchy.mount_point.clone())
            .chain(groups)
            .collect()
    }

    /// The deepest directory on the way to the group that exists, and the missing ones below it, from the top down.
    fn split(&self) -> (PathBuf, Vec<PathBuf>) {
        let mut all = self.above();
        all.push(self.path.clone());
        let below_root = all[1..].iter();
        let exists = |path: &&PathBuf| fs::symlink_metadata(path).is_ok();
        let existing = 1 + below_root.take_while(exists).count();
        let missing = all.split_off(existing);
        (all.pop().unwrap_or_default(), missing)
    }

    /// The deepest directory on the way to the group that exists.
    pub fn deepest_existing(&self) -> PathBuf {
        self.split().0
    }

    /// Whether the directory can be created, found out without trying.
    pub(super) fn check_creation(&self) -> Result<(), Error> {
        let (existing, missing) = self.split();
        let path = missing.first().unwrap_or(&self.path).clone();
        let attempt = Attempt::Create;
        if !existing.is_dir() {
            let errno = libc::ENOTDIR;
            return Err(Error::Io {
                attempt,
                path,
                errno,
            });
        }
        may(&existing, AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|error| Error::io(attempt, &path, &error))
    }

    /// Finds out whether this process could move into the group, as far as permissions in the groups above decide that.
    /// On v2, it needs write access to the `cgroup.procs` of the nearest common ancestor of both groups
    /// ([delegation](https://docs.kernel.org/admin-guide/cgroup-v2.html)).
    pub(super) fn check_entry(&self) -> Result<(), Error> {
        let is_contained = self.hierarchy.interface().contains_delegation;
        let (true, Some(own)) = (is_contained, self.hierarchy.own_directory()) else {
            return Ok(());
        };
        let mut above = own.ancestors();
        let common = above.find(|above| self.path.starts_with(above));
        let file = common.unwrap_or(&own).join("cgroup.procs");
        may(&file, AccessFlags::W_OK).map_err(|error| Error::NoEntry {
            group: self.path.clone(),
            errno: errno_of(&error),
            unwritable: Some(file),
        })
    }

    /// Whether this process is in the group or below it.
    pub(super) fn holds_us(&self) -> bool {
        self.hierarchy.holds_us(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::host::Host;

    #[test]
    fn groups_above() {
        let host = Host::from_parts("1 0 0:1 / /cg rw - cgroup2 c rw\n", "0::/\n");
        let location = |group| Location::new(&host.hierarchies[0], group);
        let deep = location("/a/b/c");
        assert_eq!(deep.above(), ["/cg", "/cg/a", "/cg/a/b"].map(PathBuf::from));
        assert_eq!(deep.names_above().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(location("x").above(), [PathBuf::from("/cg")]);
        assert_eq!(location("x").names_above().count(), 0);
    }
}
