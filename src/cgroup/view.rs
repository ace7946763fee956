// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A group of a running program, seen from outside: reading its files and changing its settings,
//! under the names of either dialect.

use std::io;
use std::path::Path;

use super::answer::answer;
use super::fs::is_gone;
use super::group::{Group, GroupFiles, failed};
use super::held::Held;
use super::mounts::{Hierarchy, Host, Version};
use super::request::Request;
use super::settings::{Map, controller, find};
use super::{statistics, v1};
use crate::error::{Failure, Step};

/// The settings that a group may have, by their names on v2.
const SETTINGS: [&str; 14] = [
    "cpu.idle",
    "cpu.max",
    "cpu.weight",
    "cpuset.cpus",
    "cpuset.mems",
    "io.max",
    "io.weight",
    "memory.high",
    "memory.low",
    "memory.max",
    "memory.min",
    "memory.oom.group",
    "memory.swap.max",
    "pids.max",
];

/// What there is to know about a group, by the names on v2.
const STATISTICS: [&str; 17] = [
    "cgroup.events",
    "cgroup.stat",
    "cpu.pressure",
    "cpu.stat",
    "io.pressure",
    "io.stat",
    "memory.current",
    "memory.events",
    "memory.peak",
    "memory.pressure",
    "memory.stat",
    "memory.swap.current",
    "memory.swap.events",
    "memory.swap.peak",
    "pids.current",
    "pids.events",
    "pids.peak",
];

/// The directories of a group, one in each hierarchy that has it.
#[derive(Debug)]
pub struct View {
    pub(super) groups: Vec<Group>,
    name: String,
}

impl View {
    /// Opens a group, which must exist in one hierarchy at least.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of [`Step::Cgroup`]: the path makes no sense (`EINVAL`), there is no such group
    /// (`ENOENT`), or it may not be read.
    pub fn open(host: &Host, group: &str) -> Result<Self, Failure> {
        let request = of_settings(group, vec![]);
        request.validate()?;
        request.validate_on(host)?;
        let mut groups = vec![];
        let mut refusal = None;
        for hierarchy in &host.hierarchies {
            match Group::find(hierarchy, &request) {
                Ok(found) => groups.extend(found),
                Err(failure) => refusal = refusal.or(Some(failure)),
            }
        }
        if groups.is_empty() {
            let first = host.hierarchies.first().ok_or_else(v1::no_hierarchy)?;
            return Err(refusal.unwrap_or_else(|| no_group(first, &request)));
        }
        Ok(Self {
            groups,
            name: group.into(),
        })
    }

    /// What a file says, without the newline at its end, in the dialect of its name. Files that only
    /// report are under their names of v2 on every host.
    ///
    /// `controller` picks the hierarchy on v1. Only files that each hierarchy has, such as
    /// `cgroup.procs`, need it.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of [`Step::Cgroup`]; its errno is `ENOENT` where the group has no such file and
    /// none with that meaning.
    pub fn get(&self, controller: Option<&str>, name: &str) -> Result<String, Failure> {
        check_name(name)?;
        self.read(controller, name)
            .map_err(|error| self.not_read(controller, name, &error))
    }

    fn read(&self, controller: Option<&str>, name: &str) -> io::Result<String> {
        let has_v1 = self.groups.iter().any(|group| !is_unified(group));
        let mut result = Err(gone());
        if has_v1 {
            result = statistics::on_v1(self, name).unwrap_or_else(|| {
                answer(name, Version::V1, &|file| self.read_v1(controller, file))
            });
        }
        // On a hybrid host, what v1 does not know may be known on the other side.
        match (result, self.unified()) {
            (Err(error), Some(group)) if is_gone(&error) => {
                answer(name, Version::V2, &|file| read_in(group, file))
            }
            (result, _) => result,
        }
    }

    pub(super) fn unified(&self) -> Option<&Group> {
        self.groups.iter().find(|group| is_unified(group))
    }

    /// A file of v1, from the hierarchy of its controller.
    pub(super) fn read_v1(&self, controller: Option<&str>, file: &str) -> io::Result<String> {
        let group = self.group_v1(controller, file).ok_or_else(gone)?;
        read_in(group, file)
    }

    pub(super) fn group_v1(&self, asked: Option<&str>, file: &str) -> Option<&Group> {
        if let Some(name) = asked {
            let name = controller(name, Version::V1).ok()??;
            let mut groups = self.groups.iter();
            return groups.find(|group| group.hierarchy.controllers.contains(&name));
        }
        let files = GroupFiles {
            groups: &self.groups,
            version: Version::V1,
        };
        files.owner(file).or_else(|| {
            let of_all = file.starts_with("cgroup.") || !file.contains('.');
            let mut groups = self.groups.iter().filter(|_| of_all);
            groups.find(|group| !is_unified(group))
        })
    }

    fn not_read(&self, controller: Option<&str>, name: &str, error: &io::Error) -> Failure {
        let v1_file = find(name).v1.into_owned();
        let group = self.group_v1(controller, &v1_file).or(self.unified());
        let (Some(group), false) = (group, is_gone(error)) else {
            let place = &self.groups[0].path;
            let message = format!(
                "cannot get {name:?}: {} has nothing like it",
                place.display()
            );
            return Failure::new(Step::Cgroup, message)
                .errno(libc::ENOENT)
                .path(place.join(name))
                .advice("its controller must be asked for when the program is started");
        };
        failed("read", &group.path.join(name), error)
    }

    /// Writes settings.
    ///
    /// # Errors
    ///
    /// As [`super::Cgroup::create`].
    pub fn set(self, settings: Vec<(String, String)>) -> Result<(), Failure> {
        let request = of_settings(&self.name, settings);
        request.validate()?;
        request.refuse_empty()?;
        let on_v1 = |name: &str| {
            let files = GroupFiles {
                groups: &self.groups,
                version: Version::V1,
            };
            files.owner(&find(name).v1).is_some()
        };
        let any_on_v1 = request.settings.iter().any(|(name, _)| on_v1(name));
        let version = if any_on_v1 || self.unified().is_none() {
            Version::V1
        } else {
            Version::V2
        };
        for (name, _) in &request.settings {
            let there = match version {
                Version::V1 => on_v1(name),
                Version::V2 => self.has_unified(name),
            };
            if !there {
                return Err(self.not_set(name));
            }
        }
        Held::new(version, self.groups).furnish(&request)
    }

    fn has_unified(&self, name: &str) -> bool {
        let found = find(name);
        let file = |group: &Group| group.path.join(&*found.v2).exists();
        // Its file has another name where only the BFQ scheduler has weights.
        found.map == Map::IoWeight || self.unified().is_some_and(file)
    }

    fn not_set(&self, name: &str) -> Failure {
        let place = self.groups[0].path.display();
        let message = format!("cannot set {name:?}: {place} has nothing like it");
        Failure::new(Step::Cgroup, message)
            .errno(libc::ENOENT)
            .path(name)
            .advice("its controller must be asked for when the program is started")
    }

    /// The settings that the group has and their values, by their names on v2.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = self.all(&SETTINGS);
        // A v1 group without a soft limit protects nothing, which is not what `max` says on v2.
        let v1 = self.group_v1(None, "memory.limit_in_bytes").is_some();
        settings.retain(|(name, value)| !v1 || name != "memory.low" || value != "max");
        settings
    }

    /// What there is to know about the group, by the names on v2 and in its units: bytes and
    /// microseconds.
    pub fn statistics(&self) -> Vec<(String, String)> {
        self.all(&STATISTICS)
    }

    fn all(&self, names: &[&str]) -> Vec<(String, String)> {
        let value = |name: &&str| Some((name.to_string(), self.read(None, name).ok()?));
        names.iter().filter_map(value).collect()
    }
}

fn of_settings(group: &str, settings: Vec<(String, String)>) -> Request {
    Request {
        group: group.into(),
        controllers: vec![],
        settings,
    }
}

fn is_unified(group: &Group) -> bool {
    group.hierarchy.version == Version::V2
}

pub(super) fn read_in(group: &Group, file: &str) -> io::Result<String> {
    Ok(group.read(file)?.trim_end().to_string())
}

pub(super) fn gone() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

fn no_group(hierarchy: &Hierarchy, request: &Request) -> Failure {
    let path = hierarchy.directory(&request.group);
    Failure::new(
        Step::Cgroup,
        format!("there is no cgroup {:?}", request.group),
    )
    .errno(libc::ENOENT)
    .path(&path)
}

/// A file of the group itself, not of one below or above.
fn check_name(name: &str) -> Result<(), Failure> {
    let mut parts = Path::new(name).components();
    let one = matches!(parts.next(), Some(std::path::Component::Normal(part)) if part == name);
    if one && !name.contains(['\0', '/', '\n']) {
        return Ok(());
    }
    let message = format!("invalid cgroup variable {name:?}: it must be a file name");
    Err(Failure::new(Step::Cgroup, message)
        .errno(libc::EINVAL)
        .path(name))
}

#[cfg(test)]
#[path = "view_test.rs"]
mod tests;
