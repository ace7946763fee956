// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The directories on the way to a group: making them, and undoing that.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::advice;
use super::fs::{is_denied, read, write};
use super::group::failed;
use super::mounts::Hierarchy;
use super::request::Request;
use crate::error::Failure;

/// Directories that were made, for undoing: removed when dropped, unless kept. Those that are not
/// empty by then belong to somebody else too, and stay.
#[derive(Debug, Default)]
pub(super) struct Trail(Vec<PathBuf>);

impl Trail {
    /// Success: nothing is undone. What was made, from the top down.
    pub fn keep(mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.0)
    }

    /// Somebody else has this one now.
    pub fn leave(&mut self, path: &Path) {
        self.0.retain(|made| made != path);
    }

    /// Failure: removes what was made, from below.
    pub fn undo(&mut self) {
        for path in self.0.drain(..).rev() {
            let _ = fs::remove_dir(path);
        }
    }

    /// Undoes what the other would, too.
    pub fn join(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.undo();
    }
}

/// Makes what is missing on the way to the group: whether the group itself was there.
pub(super) fn make_directories(
    hierarchy: &Hierarchy,
    request: &Request,
    trail: &mut Trail,
) -> Result<bool, Failure> {
    let leaf = hierarchy.directory(&request.group);
    let fail = |path: &Path, error: &io::Error| {
        failed("create", path, error).advice(advice::mkdir(hierarchy, &leaf, error))
    };
    let cpuset = hierarchy.has("cpuset");
    if !cpuset {
        match make_directory(&leaf, trail) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map_err(|error| fail(&leaf, &error)),
        }
    }
    let mut path = hierarchy.mount_point.clone();
    let mut existed = true;
    for name in request.components() {
        path.push(name);
        existed = make_directory(&path, trail).map_err(|error| fail(&path, &error))?;
        if cpuset {
            inherit_cpuset(&path)?;
        }
    }
    Ok(existed)
}

/// Whether it was there.
fn make_directory(path: &Path, trail: &mut Trail) -> io::Result<bool> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => {
            trail.0.push(path.to_path_buf());
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
        // A read-only mount says so even of what exists; and root may be kept from asking.
        Err(error) if is_denied(&error) && path.is_dir() => Ok(true),
        Err(error) => Err(error),
    }
}

/// On v1 a new cpuset has no CPU and no memory node, and no process may enter before it has.
fn inherit_cpuset(path: &Path) -> Result<(), Failure> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = path.join(file);
        let text = read(&own).map_err(|error| failed("read", &own, &error))?;
        if !text.trim().is_empty() {
            continue;
        }
        let above = path.with_file_name(file);
        let text = read(&above).map_err(|error| failed("read", &above, &error))?;
        let text = text.trim();
        write(&own, text).map_err(|error| failed(&format!("write {text:?} to"), &own, &error))?;
    }
    Ok(())
}
