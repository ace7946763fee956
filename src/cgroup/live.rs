// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The cgroup of a running program, seen from outside: its files are read and its settings changed, by
//! names of either version.

use std::path::{Component, Path};

use super::dialect::{
    ReadError, STATISTICS, Source, Version, file_on, has_several_files, is_unset, listed, name_on,
    read, read_statistic,
};
use super::error::{Attempt, Error, Part};
use super::group::{Group, remaining, tree};
use super::host::Host;
use super::location::Location;
use super::memory::count_oom_kills;
use super::request::Request;
use super::settings::{apply_settings, owner};

/// The directories of a cgroup, one in each hierarchy that has it.
#[derive(Debug)]
pub struct LiveCgroup {
    groups: Vec<Group>,
    name: String,
}

impl LiveCgroup {
    /// Opens a cgroup, which must exist in at least one hierarchy.
    pub fn open(host: &Host, group: &str) -> Result<Self, Error> {
        let request = Request {
            group: group.into(),
            ..Request::default()
        };
        request.validate()?;
        request.validate_on(host)?;
        let mut groups = vec![];
        let mut refusal = None;
        for hierarchy in &host.hierarchies {
            match Group::find(Location::new(hierarchy, group)) {
                Ok(found) => groups.extend(found),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let name = group.to_owned();
        if groups.is_empty() {
            let first = host.hierarchies.first().ok_or(Error::NoHierarchy)?;
            let path = first.directory(group);
            return Err(refusal.unwrap_or(Error::NoGroup { name, path }));
        }
        Ok(Self { groups, name })
    }

    /// The text of a file, without the newline at its end, in the format of the version that its name is
    /// from. Statistics have their v2 names on every host.
    ///
    /// `controller` selects the hierarchy on v1. Only files that each hierarchy has, such as
    /// `cgroup.procs`, need it.
    pub fn get(&self, controller: Option<&str>, name: &str) -> Result<String, Error> {
        check_name(name)?;
        self.read(controller, name)
            .map_err(|error| self.not_read(controller, name, error))
    }

    fn read(&self, controller: Option<&str>, name: &str) -> Result<String, ReadError> {
        let mut result = Err(ReadError::Missing);
        for version in Version::ALL {
            if matches!(result, Err(ReadError::Missing)) && self.is_on(version) {
                result = read_statistic(version, name, self).unwrap_or_else(|| {
                    read(name, version, &|file| {
                        self.text_of(version, controller, file)
                    })
                });
            }
        }
        result
    }

    fn text_of(
        &self,
        version: Version,
        controller: Option<&str>,
        file: &str,
    ) -> Result<String, ReadError> {
        let group = self.group_with(version, controller, file);
        let group = group.ok_or(ReadError::Missing)?;
        Ok(group.read(file)?.trim_end().to_owned())
    }

    fn groups_on(&self, version: Version) -> impl Iterator<Item = &Group> {
        let groups = self.groups.iter();
        groups.filter(move |group| group.location.hierarchy.version == version)
    }

    /// The group that has this file of `version`. `controller` is as for [`Self::get`].
    fn group_with(&self, version: Version, controller: Option<&str>, file: &str) -> Option<&Group> {
        let mut groups = self.groups_on(version);
        if let Some(name) = controller {
            let name = name_on(version, name);
            return groups.find(|group| group.location.hierarchy.has_files_of(name));
        }
        owner(&self.groups, version, file).or_else(|| {
            let is_in_all = file.starts_with("cgroup.") || !file.contains('.');
            groups.find(|_| is_in_all)
        })
    }

    fn not_read(&self, controller: Option<&str>, name: &str, error: ReadError) -> Error {
        let mut versions = Version::ALL.into_iter();
        let group = versions
            .find_map(|version| self.group_with(version, controller, &file_on(version, name)));
        match (group, error) {
            (Some(group), ReadError::Format | ReadError::Errno(_)) => Error::Io {
                attempt: Attempt::Read,
                path: group.location.path.join(name),
                errno: error.errno(),
            },
            _ => self.no_file(name),
        }
    }

    /// Writes settings.
    pub fn set(&self, settings: Vec<(String, String)>) -> Result<(), Error> {
        let request = Request {
            group: self.name.clone(),
            controllers: vec![],
            settings,
        };
        request.validate()?;
        request.refuse_empty()?;
        let names = || request.settings.iter().map(|(name, _)| name.as_str());
        let mut versions = Version::ALL.into_iter();
        let version = versions.find(|version| names().any(|name| self.has(*version, name)));
        let has = |name: &&str| version.is_some_and(|version| self.has(version, name));
        match (version, names().find(|name| !has(name))) {
            (Some(version), None) => apply_settings(&self.groups, version, &request.settings),
            (_, missing) => Err(self.no_file(missing.unwrap_or_default())),
        }
    }

    /// Whether the cgroup has the file of a setting on this version.
    fn has(&self, version: Version, name: &str) -> bool {
        let file = file_on(version, name);
        owner(&self.groups, version, &file).is_some_and(|group| {
            // Without enabling, every group has the files of the controllers of its hierarchy.
            group.interface().enabling.is_none()
                || has_several_files(name)
                || group.location.path.join(&*file).exists()
        })
    }

    fn no_file(&self, name: &str) -> Error {
        Error::NoFile {
            name: name.into(),
            group: self.groups[0].location.path.clone(),
        }
    }

    /// The settings that the cgroup has and their values, by their names on v2.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = self.all(listed());
        settings.retain(|(name, value)| {
            let group = |version: &Version| owner(&self.groups, *version, &file_on(*version, name));
            let version = Version::ALL
                .into_iter()
                .find(|version| group(version).is_some());
            !version.is_some_and(|version| is_unset(version, name, value))
        });
        settings
    }

    /// The statistics of the cgroup, by their names on v2 and in its units: bytes and microseconds.
    pub fn statistics(&self) -> Vec<(String, String)> {
        self.all(STATISTICS.into_iter())
    }

    fn all(&self, names: impl Iterator<Item = &'static str>) -> Vec<(String, String)> {
        let value = |name: &str| Some((name.to_owned(), self.read(None, name).ok()?));
        names.filter_map(value).collect()
    }
}

impl Source for LiveCgroup {
    fn is_on(&self, version: Version) -> bool {
        self.groups_on(version).next().is_some()
    }

    fn text(&self, version: Version, file: &str) -> Result<String, ReadError> {
        self.text_of(version, None, file)
    }

    fn oom_kills(&self, version: Version) -> Result<u64, ReadError> {
        let group = owner(&self.groups, version, version.interface().memory.oom_kills);
        Ok(count_oom_kills(group.ok_or(ReadError::Missing)?)?)
    }

    fn processes(&self) -> Result<usize, ReadError> {
        Ok(remaining(&self.groups)?)
    }

    fn descendants(&self) -> Result<u64, ReadError> {
        let mut below = 0;
        for group in &self.groups {
            below = below.max(tree::sum(group.dir(), |_| 1)? - 1);
        }
        Ok(below)
    }
}

/// Refuses what is not a file of the group itself.
fn check_name(name: &str) -> Result<(), Error> {
    let mut parts = Path::new(name).components();
    let is_one = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
    if is_one && !name.contains(['\0', '/', '\n']) {
        return Ok(());
    }
    Err(Error::Invalid {
        part: Part::File,
        name: name.into(),
        reason: "it must be a file name".into(),
    })
}

#[cfg(test)]
#[path = "live_test.rs"]
mod tests;
