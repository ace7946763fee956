// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Enabling controllers for a group, in all groups above it. On v1 there is nothing to do: every group has the
//! controllers of its hierarchy.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::AccessFlags;

use super::dialect::Enabling;
use super::error::{Error, errno_of};
use super::fs::{may, read, words, write};
use super::group::Group;
use super::location::Location;

/// Enables these controllers for a group that exists, in the groups above it, from the top down.
pub(super) fn enable(location: &Location, controllers: &BTreeSet<String>) -> Result<(), Error> {
    let Some(files) = &location.hierarchy.interface().enabling else {
        return Ok(());
    };
    if controllers.is_empty() {
        return Ok(());
    }
    let has = words(&location.path.join(files.has))?;
    let missing = controllers.iter().filter(|name| !has.contains(name));
    let missing = missing.cloned().collect();
    for_each_disabled(&location.above(), files, &missing, |file, name| {
        write(file, &format!("+{name}"))
    })
}

/// Disables all controllers for the groups below this one.
pub(super) fn disable_all(group: &Group) -> io::Result<()> {
    let Some(Enabling { enables, .. }) = &group.interface().enabling else {
        return Ok(());
    };
    let enabled = group.read(enables).unwrap_or_default();
    let mut enabled = enabled.split_whitespace();
    enabled.try_for_each(|name| group.write(enables, &format!("-{name}")))
}

/// Finds out whether [`enable`] would succeed, without writing. It checks the groups that exist: in those that would be
/// created, this user may enable controllers.
pub(super) fn check_enabling(
    location: &Location,
    controllers: &BTreeSet<String>,
) -> Result<(), Error> {
    let Some(files) = &location.hierarchy.interface().enabling else {
        return Ok(());
    };
    let existing = location.deepest_existing();
    let mut above = location.above();
    above.retain(|group| existing.starts_with(group));
    for_each_disabled(&above, files, controllers, |file, _| {
        may(file, AccessFlags::W_OK)?;
        let group = file.parent().unwrap_or(file);
        // The rule of "no internal processes" does not hold for the root.
        if !is_root(group) && holds_processes(group) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        Ok(())
    })
}

/// Calls `act` for each group and each controller that it does not enable yet, with the file that enables it.
fn for_each_disabled(
    groups: &[PathBuf],
    files: &Enabling,
    controllers: &BTreeSet<String>,
    act: impl Fn(&Path, &str) -> io::Result<()>,
) -> Result<(), Error> {
    if controllers.is_empty() {
        return Ok(());
    }
    for group in groups {
        let file = group.join(files.enables);
        let enabled = words(&file)?;
        for name in controllers.iter().filter(|name| !enabled.contains(name)) {
            act(&file, name).map_err(|error| Error::NotEnabled {
                controller: name.clone(),
                group: group.clone(),
                errno: errno_of(&error),
            })?;
        }
    }
    Ok(())
}

/// Whether this is the root of the whole hierarchy, which lacks this file. The root of what a container sees has it.
fn is_root(group: &Path) -> bool {
    !group.join("cgroup.events").exists()
}

fn holds_processes(group: &Path) -> bool {
    read(&group.join("cgroup.procs")).is_ok_and(|text| !text.trim().is_empty())
}
