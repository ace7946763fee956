// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is peculiar to cgroup v2: controllers have to be enabled in all groups above, and cpusets that are
//! not granted.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::AccessFlags;

use super::dialect::{is_controller, nearest};
use super::error::{Attempt, Error, errno_of};
use super::fs::{may, read, words, write};
use super::host::Hierarchy;
use super::location::Location;

pub(super) fn check_available(unified: &Hierarchy, needed: &BTreeSet<String>) -> Result<(), Error> {
    let offered = unified.offered();
    let Some(name) = needed.iter().find(|name| !offered.contains(name)) else {
        return Ok(());
    };
    Err(if is_controller(name) {
        Error::NotOffered {
            controller: name.clone(),
            list: unified.controllers_file(),
        }
    } else {
        Error::UnknownController {
            name: name.clone(),
            nearest: nearest(name),
        }
    })
}

/// Enables these controllers for a group that exists, in the groups above, from the top down.
pub(super) fn enable(location: &Location, controllers: &BTreeSet<String>) -> Result<(), Error> {
    if controllers.is_empty() {
        return Ok(());
    }
    let has = words(&location.path.join("cgroup.controllers"))?;
    let missing = controllers.iter().filter(|name| !has.contains(name));
    let missing = missing.cloned().collect();
    for_each_disabled(&location.above(), &missing, |file, name| {
        write(file, &format!("+{name}"))
    })
}

/// Finds out whether [`enable`] would succeed, without writing. Groups that would be created are ours to
/// enable controllers in.
pub(super) fn check_enabling(
    location: &Location,
    controllers: &BTreeSet<String>,
) -> Result<(), Error> {
    let existing = location.deepest_existing();
    let mut above = location.above();
    above.retain(|group| existing.starts_with(group));
    for_each_disabled(&above, controllers, |file, _| {
        may(file, AccessFlags::W_OK)?;
        let group = file.parent().unwrap_or(file);
        // The root is exempt from the rule of "no internal processes".
        if !is_root(group) && holds_processes(group) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        Ok(())
    })
}

/// Calls `act` with the `cgroup.subtree_control` of each group and each controller that it lacks.
fn for_each_disabled(
    groups: &[PathBuf],
    controllers: &BTreeSet<String>,
    act: impl Fn(&Path, &str) -> io::Result<()>,
) -> Result<(), Error> {
    if controllers.is_empty() {
        return Ok(());
    }
    for group in groups {
        let file = group.join("cgroup.subtree_control");
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

/// Only the root of the whole hierarchy lacks this file, not that of the part that a container sees.
fn is_root(group: &Path) -> bool {
    !group.join("cgroup.events").exists()
}

fn holds_processes(group: &Path) -> bool {
    read(&group.join("cgroup.procs")).is_ok_and(|text| !text.trim().is_empty())
}

/// Checks a list of CPUs or memory nodes that was written. The kernel takes those that the groups above do
/// not grant, and then uses the ones of the group above: the program would run outside of what was asked
/// for.
pub(super) fn check_cpuset(group: &Path, file: &str, value: &str) -> Result<(), Error> {
    if !matches!(file, "cpuset.cpus" | "cpuset.mems") {
        return Ok(());
    }
    let effective = group.join(format!("{file}.effective"));
    let granted = read(&effective).map_err(|error| Error::io(Attempt::Read, &effective, &error))?;
    let granted = granted.trim();
    if value.trim().is_empty() || is_within(granted, value) {
        return Ok(());
    }
    Err(Error::NotGranted {
        value: value.into(),
        path: group.join(file),
        granted: granted.into(),
    })
}

/// Whether every number of one list such as `0-2,5` is in the other. The kernel has accepted them, so a list
/// of an unknown form is no error.
fn is_within(part: &str, whole: &str) -> bool {
    match (ranges(part), ranges(whole)) {
        (Some(part), Some(whole)) => part.iter().all(|&(low, high)| {
            (low..=high).all(|number| {
                whole
                    .iter()
                    .any(|&(low, high)| (low..=high).contains(&number))
            })
        }),
        _ => true,
    }
}

fn ranges(list: &str) -> Option<Vec<(u32, u32)>> {
    list.trim()
        .split(',')
        .filter(|range| !range.is_empty())
        .map(|range| {
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            // More than any machine has, and few enough to count through.
            let number = |text: &str| {
                text.trim()
                    .parse()
                    .ok()
                    .filter(|&number: &u32| number < 1 << 16)
            };
            Some((number(low)?, number(high)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert!(is_within("0-1", "0-3"));
        assert!(is_within("0,2", "0-1,2"));
        assert!(is_within("", "3"));
        assert!(!is_within("0-1", "1"));
        assert!(!is_within("0-1", "7"));
        assert!(is_within("0-1", "all"), "an unknown form");
    }
}
