// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The CPUs and memory nodes of a group.

use std::path::Path;

use super::error::{Attempt, Error};
use super::fs::{read, write};
use super::location::Location;

const FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// Copies the CPUs and memory nodes of the group above. On v1 a new group has none, and cannot be entered until it has
/// some.
pub(super) fn inherit_cpuset(group: &Path) -> Result<(), Error> {
    for file in FILES {
        let text_of = |path: &Path| {
            let text = read(path).map_err(|error| Error::io(Attempt::Read, path, &error))?;
            Ok(text.trim().to_owned())
        };
        let own = group.join(file);
        if !text_of(&own)?.is_empty() {
            continue;
        }
        let inherited = text_of(&group.with_file_name(file))?;
        write(&own, &inherited)
            .map_err(|error| Error::io(Attempt::Write(inherited), &own, &error))?;
    }
    Ok(())
}

/// Checks a list of CPUs or memory nodes that was written. On v2 the kernel accepts a list that the groups above do not
/// grant, and then uses the list of the group above: the program would run on CPUs that it was to be kept from.
pub(super) fn check_granted(group: &Location, file: &str, value: &str) -> Result<(), Error> {
    let Some(ending) = group.hierarchy.interface().granted else {
        return Ok(());
    };
    if !FILES.contains(&file) {
        return Ok(());
    }
    let effective = group.path.join(format!("{file}{ending}"));
    let granted = read(&effective).map_err(|error| Error::io(Attempt::Read, &effective, &error))?;
    let granted = granted.trim();
    if value.trim().is_empty() || is_within(granted, value) {
        return Ok(());
    }
    Err(Error::NotGranted {
        value: value.into(),
        path: group.path.join(file),
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
