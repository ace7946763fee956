// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Writing settings to the directories of a cgroup.

use super::dialect::{Write, translate};
use super::error::{Error, errno_of};
use super::fs::is_gone;
use super::group::Group;
use super::v2;
use super::version::Version;

/// The group that has a file: on v1 the one whose hierarchy has its controller.
pub(super) fn owner<'a>(groups: &'a [Group], version: Version, file: &str) -> Option<&'a Group> {
    let controller = file.split('.').next()?;
    let is_owner = |group: &&Group| match version {
        Version::V1 => !group.is_v2() && group.has(controller),
        Version::V2 => group.is_v2(),
    };
    groups.iter().find(is_owner)
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
        if version == Version::V2 {
            v2::check_cpuset(&group.location.path, &write.file, &write.value)?;
        }
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
