// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The cgroup of a running program, seen from outside: its files are read and its settings changed, by
//! names of either version.

use std::path::{Component, Path};

use super::dialect::Version;
use super::dialect::{
    Availability, ReadError, STATISTICS, Source, availability, file_on, has_several_files, listed,
    read, read_on_v1,
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
        if self.groups.iter().any(|group| !group.is_v2()) {
            result = read_on_v1(name, self)
                .unwrap_or_else(|| read(name, Version::V1, &|file| self.read_v1(controller, file)));
        }
        // On a hybrid host, v2 may have what v1 does not.
        match (result, self.unified()) {
            (Err(ReadError::Missing), Some(group)) => {
                read(name, Version::V2, &|file| text_of(group, file))
            }
            (result, _) => result,
        }
    }

    fn unified(&self) -> Option<&Group> {
        self.groups.iter().find(|group| group.is_v2())
    }

    fn read_v1(&self, controller: Option<&str>, file: &str) -> Result<String, ReadError> {
        let group = self.group_v1(controller, file).ok_or(ReadError::Missing)?;
        text_of(group, file)
    }

    fn group_v1(&self, controller: Option<&str>, file: &str) -> Option<&Group> {
        if let Some(name) = controller {
            let Availability::With(name) = availability(Version::V1, name) else {
                return None;
            };
            return self.groups.iter().find(|group| group.has(name));
        }
        owner(&self.groups, Version::V1, file).or_else(|| {
            let is_in_all = file.starts_with("cgroup.") || !file.contains('.');
            let mut groups = self.groups.iter().filter(|_| is_in_all);
            groups.find(|group| !group.is_v2())
        })
    }

    fn not_read(&self, controller: Option<&str>, name: &str, error: ReadError) -> Error {
        let group = self.group_v1(controller, &file_on(Version::V1, name));
        let group = group.or(self.unified());
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
        let version = if self.unified().is_none() || names().any(|name| self.has_on_v1(name)) {
            Version::V1
        } else {
            Version::V2
        };
        let exists = |name: &str| match version {
            Version::V1 => self.has_on_v1(name),
            Version::V2 => self.has_on_v2(name),
        };
        if let Some(name) = names().find(|name| !exists(name)) {
            return Err(self.no_file(name));
        }
        apply_settings(&self.groups, version, &request.settings)
    }

    fn has_on_v1(&self, name: &str) -> bool {
        owner(&self.groups, Version::V1, &file_on(Version::V1, name)).is_some()
    }

    fn has_on_v2(&self, name: &str) -> bool {
        let file = file_on(Version::V2, name);
        let exists = |group: &Group| group.location.path.join(&*file).exists();
        has_several_files(name) || self.unified().is_some_and(exists)
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
        // A v1 group without a soft limit protects nothing, which is not what `max` says on v2.
        let v1 = self.group_v1(None, "memory.limit_in_bytes").is_some();
        settings.retain(|(name, value)| !v1 || name != "memory.low" || value != "max");
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
    fn v1(&self, file: &str) -> Result<String, ReadError> {
        self.read_v1(None, file)
    }

    fn v2(&self, file: &str) -> Option<Result<String, ReadError>> {
        Some(text_of(self.unified()?, file))
    }

    fn oom_kills(&self) -> Result<u64, ReadError> {
        let group = self.group_v1(None, "memory.oom_control");
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

fn text_of(group: &Group, file: &str) -> Result<String, ReadError> {
    Ok(group.read(file)?.trim_end().to_owned())
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
