// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Writing settings to the directories of a cgroup.

use super::cpuset::check_granted;
use super::dialect::{Version, Write, translate};
use super::error::{Error, errno_of};
use super::fs::is_gone;
use super::group::Group;

/// The group that has this file of `version`: the one in the hierarchy of its controller.
pub(super) fn owner<'a>(groups: &'a [Group], version: Version, file: &str) -> Option<&'a Group> {
    let controller = file.split('.').next()?;
    groups.iter().find(|group| {
        let hierarchy = &group.location.hierarchy;
        hierarchy.version == version && hierarchy.has_files_of(controller)
    })
}

/// Writes settings, by names of either version, to files of `version`.
pub(super) fn apply_settings(
    groups: &[Group],
    version: Version,
    settings: &[(String, String)],
) -> Result<(), Error> {
    let current = |file: &str| {
        let text = owner(groups, version, file)?.read(file).ok()?;
        Some(text.trim_end().to_owned())
    };
    let path = |file: &str| match owner(groups, version, file) {
        Some(group) => group.location.path.join(file),
        None => file.into(),
    };
    let writes = translate(settings, version, &current)
        .map_err(|mismatch| Error::of_mismatch(mismatch, path))?;
    for write in writes {
        let Some(group) = owner(groups, version, &write.file) else {
            let setting = write.setting;
            return Err(Error::NoEquivalent { setting, version });
        };
        apply(group, &write)?;
        check_granted(&group.location, &write.file, &write.value)?;
    }
    Ok(())
}

fn apply(group: &Group, write: &Write) -> Result<(), Error> {
    let (mut file, mut value) = (&write.file, &write.value);
    let mut result = group.write(file, value);
    if let (Err(error), Some(fallback)) = (&result, &write.fallback) {
        if is_gone(error) && !group.location.path.join(file).exists() {
            (file, value) = (&fallback.0, &fallback.1);
            result = group.write(file, value);
        }
    }
    result.map_err(|error| {
        let path = group.location.path.join(file);
        Error::NotSet {
            setting: write.setting.clone(),
            value: value.clone(),
            exists: path.exists(),
            path,
            errno: errno_of(&error),
        }
    })
}
