// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Creating a group and the groups above it, and undoing that.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::lock::{lock, lock_above, lock_directory, refuse_removed};
use super::open::Group;
use super::protected::refuse_own;
use crate::cgroup::cpuset::inherit_cpuset;
use crate::cgroup::error::{Attempt, Error};
use crate::cgroup::fs::is_denied;
use crate::cgroup::location::Location;

/// Directories that were created. They are removed when this is dropped, unless kept; those that are not
/// empty by then are used by somebody else too, and stay.
#[derive(Debug, Default)]
pub(in crate::cgroup) struct CreatedDirs(Vec<PathBuf>);

impl CreatedDirs {
    /// Lets them stay, and returns them from the top down.
    pub fn keep(mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.0)
    }

    /// Removes them, from the bottom up.
    pub fn undo(&mut self) {
        for path in self.0.drain(..).rev() {
            let _ = fs::remove_dir(path);
        }
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Does not remove this one, which somebody else has locked.
    fn forget(&mut self, path: &Path) {
        self.0.retain(|created| created != path);
    }
}

impl Drop for CreatedDirs {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Group {
    /// Creates the group, and the groups above it that are missing, or opens the one that exists. On
    /// return it is locked, and `created` has the new directories. `since` is when the first attempt was
    /// made.
    pub fn make(
        location: &Location,
        created: &mut CreatedDirs,
        since: Instant,
    ) -> Result<Self, Error> {
        let path = &location.path;
        let existed = create_directories(location, created)?;
        let group = Self::open_locked(location, existed, since);
        let mut group = group.inspect_err(|_| created.forget(path))?;
        let above = lock_above(location, since);
        let above = above.and_then(|above| {
            // The start of the program finds that out by itself where it is created in the group.
            if existed || !group.interface().is_unified {
                group.refuse_frozen()?;
            }
            Ok(above)
        });
        // Before the lock is released, by which others would see half a group.
        group.locks_above = above.inspect_err(|_| created.undo())?;
        Ok(group)
    }

    fn open_locked(location: &Location, existed: bool, since: Instant) -> Result<Self, Error> {
        let mut group = Self::open(location.clone(), existed).map_err(|error| match error {
            Error::Io {
                path,
                errno: libc::ENOENT,
                ..
            } => Error::Removed { path },
            other => other,
        })?;
        if existed {
            refuse_own(&group)?;
        }
        lock_directory(group.dir(), &location.path, since)?;
        // No file of a removed group can be opened, and this one has to be opened anyway.
        if group.open_entry().is_err() {
            refuse_removed(group.dir(), &location.path)?;
        }
        Ok(group)
    }

    /// Locks a group that exists, and those above it.
    pub fn lock(&mut self, since: Instant) -> Result<(), Error> {
        lock(self.dir(), &self.location.path, since)?;
        self.locks_above = lock_above(&self.location, since)?;
        Ok(())
    }
}

/// Creates what is missing on the way to the group, and returns whether the group itself existed.
fn create_directories(location: &Location, created: &mut CreatedDirs) -> Result<bool, Error> {
    let fail = |path: &Path, error: &io::Error| Error::io(Attempt::Create, path, error);
    let leaf = &location.path;
    let is_cpuset = location.hierarchy.has("cpuset");
    if !is_cpuset {
        match create_directory(leaf, created) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map_err(|error| fail(leaf, &error)),
        }
    }
    let mut existed = true;
    let above = location.above();
    for path in above.iter().skip(1).chain([leaf]) {
        existed = create_directory(path, created).map_err(|error| fail(path, &error))?;
        if is_cpuset {
            inherit_cpuset(path)?;
        }
    }
    Ok(existed)
}

/// Returns whether it existed.
fn create_directory(path: &Path, created: &mut CreatedDirs) -> io::Result<bool> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => {
            created.0.push(path.to_path_buf());
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
        // A read-only mount gives this error even for what exists, and a security module may.
        Err(error) if is_denied(&error) && path.is_dir() => Ok(true),
        Err(error) => Err(error),
    }
}
