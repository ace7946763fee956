// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! From the error of a cgroup to the problems behind it, and this host's values for their fixes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::{Facts, HostKind};
use super::remedies::Problem::{
    self, Confined, ConfinedV1, Disabled, HasProcesses, NotDelegated, NotDelegatedV1,
    NotEnabledAbove, NotInKernel, NotMounted, NothingMounted, NothingMountedV1, ProcessesAtTop,
    ReadOnly,
};
use super::remedies::{Fix, fixes};
use crate::cgroup::{Error, Hierarchy, doctor_command, v1_name, v2_name};

/// The capability that mount(2) needs.
const CAP_SYS_ADMIN: u32 = 21;

/// A request for cgroups on this host.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub facts: &'a Facts,
    /// As `:cgroup_base`.
    pub base: &'a str,
    /// The controllers that fixes are for.
    pub controllers: &'a [String],
}

impl Context<'_> {
    /// How to fix what the error is about, the likeliest way first.
    pub fn fixes(&self, error: &Error) -> Vec<Fix> {
        match error {
            Error::NoHierarchy => self.mount_any(),
            Error::NotMounted { controller, .. } | Error::NotOffered { controller, .. } => {
                self.provide(controller)
            }
            error => match error.errno() {
                libc::EROFS => self.make_writable(),
                libc::EACCES | libc::EPERM => self.permit(&error.path()),
                libc::EBUSY => self.move_processes(error),
                _ => vec![],
            },
        }
    }

    /// Nothing is mounted.
    fn mount_any(&self) -> Vec<Fix> {
        let supports = |name| self.facts.has_filesystem(name);
        let mut on_v1 = vec!["memory", "pids", "cpu", "freezer"];
        on_v1.retain(|name| self.facts.controller(name).is_some_and(|c| c.on_v1));
        if !supports("cgroup2") && !supports("cgroup") {
            let options = self.controllers.iter().map(|name| options(name));
            self.fix(NotInKernel, &[("options", join(options, "\n"))])
        } else if !self.may_mount() {
            self.open_container()
        } else if on_v1.is_empty() {
            self.fix(NothingMounted, &[])
        } else {
            self.fix(NothingMountedV1, &[("names", on_v1.join(" "))])
        }
    }

    /// No hierarchy has the controller.
    fn provide(&self, name: &str) -> Vec<Fix> {
        let problem = match self.facts.controller(v1_name(name)) {
            _ if self.facts.cgroups.hierarchies.is_empty() => return self.mount_any(),
            Some(listed) if !listed.enabled => Disabled,
            Some(listed) if listed.on_v1 || self.has_v1() => NotMounted,
            _ if self.is_below_another() => NotEnabledAbove,
            _ => NotInKernel,
        };
        let (v1, v2) = (v1_name(name).to_owned(), v2_name(name).to_owned());
        let options = options(name);
        self.fix(
            problem,
            &[("v1_name", v1), ("v2_name", v2), ("options", options)],
        )
    }

    fn make_writable(&self) -> Vec<Fix> {
        if self.may_mount() {
            return self.fix(ReadOnly, &[]);
        }
        self.open_container()
    }

    /// Root of a container may still lack the capability.
    fn may_mount(&self) -> bool {
        self.facts.kind != HostKind::Container || self.facts.has_capability(CAP_SYS_ADMIN)
    }

    fn open_container(&self) -> Vec<Fix> {
        let is_v2 = self.facts.cgroups.unified().is_some() && !self.has_v1();
        self.fix(if is_v2 { Confined } else { ConfinedV1 }, &[])
    }

    fn permit(&self, path: &Path) -> Vec<Fix> {
        let mut hierarchies = self.facts.cgroups.hierarchies.iter();
        let in_container = self.facts.kind == HostKind::Container;
        // Without controllers, the freezer of v1 contains the program as well as v2.
        let needs_v2 = path.starts_with(self.point()) && !self.pluses().is_empty();
        if self.has_v1() && !needs_v2 {
            self.fix(NotDelegatedV1, &[])
        } else if !in_container || self.has_v1() {
            self.fix(NotDelegated, &[])
        } else if hierarchies.any(|hierarchy| hierarchy.read_only) {
            self.open_container()
        } else if self.is_below_another() {
            self.fix(ProcessesAtTop, &[])
        } else {
            self.fix(NotDelegated, &[])
        }
    }

    /// A group that has processes cannot enable controllers.
    fn move_processes(&self, error: &Error) -> Vec<Fix> {
        let Error::NotEnabled { group, .. } = error else {
            return vec![];
        };
        if self.facts.kind == HostKind::Container && *group == self.point() {
            return self.fix(ProcessesAtTop, &[]);
        }
        let group = group.display().to_string();
        self.fix(HasProcesses, &[("group", group)])
    }

    fn has_v1(&self) -> bool {
        self.facts.cgroups.legacy().next().is_some()
    }

    /// Where v2 is mounted.
    fn point(&self) -> PathBuf {
        let unified = self.facts.cgroups.unified();
        unified.map_or_else(|| "/sys/fs/cgroup".into(), |h| h.mount_point.clone())
    }

    /// Whether what is mounted is a part of a hierarchy: the root of a whole one has no such file.
    fn is_below_another(&self) -> bool {
        self.point().join("cgroup.events").exists()
    }

    /// The controllers that v2 has, as `cgroup.subtree_control` takes them.
    fn pluses(&self) -> String {
        let unified = self.facts.cgroups.unified();
        let offered = unified.map(Hierarchy::offered).unwrap_or_default();
        let names = self.controllers.iter().map(|name| v2_name(name));
        let names = names.filter(|name| offered.iter().any(|known| known == name));
        join(names.map(|name| format!("+{name}")), " ")
    }

    /// The base in the hierarchies of the controllers, and of the freezer.
    fn v1_directories(&self) -> String {
        let host = &self.facts.cgroups;
        let names = self.controllers.iter().map(|name| v1_name(name));
        let names = names.chain(["freezer"]);
        let hierarchies = names.filter_map(|name| host.legacy_with(name));
        let directories = hierarchies.map(|h| h.directory(self.base.trim_matches('/')));
        let directories: BTreeSet<PathBuf> = directories.collect();
        join(
            directories.iter().map(|path| path.display().to_string()),
            " ",
        )
    }

    /// The rows of the table for a problem, with the values of this host and these of the problem.
    fn fix(&self, problem: Problem, values: &[(&'static str, String)]) -> Vec<Fix> {
        let facts = self.facts;
        let (point, base) = (self.point(), self.base.trim_matches('/'));
        let owner = if facts.uid == 0 { "" } else { &facts.user };
        let read_only = facts.cgroups.hierarchies.iter().filter(|h| h.read_only);
        let remounts =
            read_only.map(|h| format!("mount -o remount,rw,bind {}", h.mount_point.display()));
        let host = [
            ("base", format!("{:?}", self.base)),
            ("user", facts.user.clone()),
            ("owner", owner.to_owned()),
            ("doctor", doctor_command()),
            ("point", point.display().to_string()),
            ("directory", point.join(base).display().to_string()),
            ("pluses", self.pluses()),
            ("base_names", base.replace('/', " ")),
            ("v1_directories", self.v1_directories()),
            ("remounts", join(remounts, "\n")),
        ];
        fixes(facts.kind, problem, &[&host, values].concat())
    }
}

/// The lines of a kernel configuration that compile a controller in.
fn options(name: &str) -> String {
    let options = match v2_name(name) {
        "memory" => "MEMCG",
        "pids" => "CGROUP_PIDS",
        "cpu" => "CGROUP_SCHED FAIR_GROUP_SCHED CFS_BANDWIDTH",
        "cpuset" => "CPUSETS",
        "io" => "BLK_CGROUP BLK_DEV_THROTTLING",
        "hugetlb" => "CGROUP_HUGETLB",
        "freezer" => "CGROUP_FREEZER",
        "cpuacct" => "CGROUP_CPUACCT",
        _ => "",
    };
    let options = options.split_whitespace();
    join(options.map(|option| format!("CONFIG_{option}=y")), "\n")
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
#[path = "diagnosis_test.rs"]
mod tests;
