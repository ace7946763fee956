// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Which cgroup hierarchies this host has, and where.
//!
//! Both sources are text: `/proc/self/mountinfo`
//! ([proc_pid_mountinfo(5)](https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html)) and
//! `/proc/self/cgroup` ([cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html)). Nothing
//! is assumed about paths: `/sys/fs/cgroup` is a convention.

use std::io;
use std::path::{Path, PathBuf};

use super::dialect::{Freezer, Interface, Offer, Version, is_cgroup};
use super::error::{Attempt, Error};
use super::fs::{read, words};

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub version: Version,
    /// v1: its controllers, or `name=systemd` and the like. Empty on v2.
    pub controllers: Vec<String>,
    /// v2: the controllers in `cgroup.controllers` at the root of the mount. Empty on v1.
    pub available: Vec<String>,
    pub mount_point: PathBuf,
    /// The group that is mounted there: `/`, or in a container its own.
    pub mount_root: String,
    /// The group of this process, as `/proc/self/cgroup` has it.
    pub own_path: String,
    /// Whether the mount is read-only.
    pub read_only: bool,
}

impl Hierarchy {
    /// The directory of a group. A leading `/` is the root of what is mounted.
    pub fn directory(&self, group: &str) -> PathBuf {
        self.mount_point.join(group.trim_start_matches('/'))
    }

    /// The controllers that groups of this hierarchy can have.
    pub fn offered(&self) -> &[String] {
        if self.interface().is_unified {
            &self.available
        } else {
            &self.controllers
        }
    }

    /// v2: the file that lists the controllers of `group`, a directory. `None` on v1.
    pub fn controllers_file(&self, group: &Path) -> Option<PathBuf> {
        let files = self.interface().enabling.as_ref()?;
        Some(group.join(files.has))
    }

    /// v1: its controllers, joined by commas. Empty on v2.
    pub fn label(&self) -> String {
        self.controllers.join(",")
    }

    /// v1: whether this is the hierarchy of a controller.
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// Whether the files of a controller of its version are in this hierarchy.
    pub(super) fn has_files_of(&self, controller: &str) -> bool {
        self.interface().is_unified || self.has(controller)
    }

    pub(super) fn interface(&self) -> &'static Interface {
        self.version.interface()
    }

    /// v2: the name of the file that kills all processes of a group. Old kernels do not have it. `None` on v1.
    pub fn kill_file(&self) -> Option<&'static str> {
        self.interface().kill
    }

    /// How to freeze its groups; `None` when they cannot be frozen.
    pub(super) fn freezer(&self) -> Option<&'static Freezer> {
        let freezer = &self.interface().freezer;
        let is_here = freezer.controller.is_none_or(|name| self.has(name));
        is_here.then_some(freezer)
    }

    /// The directory of this process's own group, when it is below the mount point.
    pub fn own_directory(&self) -> Option<PathBuf> {
        relative_to(&self.own_path, &self.mount_root).map(|group| self.directory(group))
    }

    /// Whether this process is in `group` or in a group below it.
    pub fn holds_us(&self, group: &str) -> bool {
        relative_to(&self.own_path, &self.mount_root)
            .is_some_and(|own| relative_to(own, group).is_some())
    }
}

/// The rest of `path` after the group `ancestor`; `None` when it is not below it.
fn relative_to<'a>(path: &'a str, ancestor: &str) -> Option<&'a str> {
    let ancestor = ancestor.trim_matches('/');
    let rest = path.trim_start_matches('/').strip_prefix(ancestor)?;
    (ancestor.is_empty() || rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// The hierarchies of this host, as this process sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// v1 hierarchies in the order of `/proc/self/cgroup`, and at most one v2.
    pub hierarchies: Vec<Hierarchy>,
}

impl Host {
    /// The hierarchies of this host. Without cgroups in the kernel the list is empty, which is no error.
    pub fn detect() -> Result<Self, Error> {
        Self::detect_below(Path::new("/"))
    }

    /// The same, with `/proc` and the mount points below `root`, for tests.
    pub fn detect_below(root: &Path) -> Result<Self, Error> {
        let mut host = Self::detect_mounted_below(root)?;
        host.read_available();
        Ok(host)
    }

    /// The same without the controllers of v2.
    pub fn detect_mounted() -> Result<Self, Error> {
        Self::detect_mounted_below(Path::new("/"))
    }

    fn detect_mounted_below(root: &Path) -> Result<Self, Error> {
        let mountinfo = read_proc(&root.join("proc/self/mountinfo"))?;
        let self_cgroup = read_proc(&root.join("proc/self/cgroup"))?;
        let mut host = Self::from_parts(&mountinfo, &self_cgroup);
        for hierarchy in &mut host.hierarchies {
            let point = hierarchy
                .mount_point
                .strip_prefix("/")
                .unwrap_or(&hierarchy.mount_point);
            hierarchy.mount_point = root.join(point);
        }
        Ok(host)
    }

    /// Reads which controllers v2 has: none where that cannot be read.
    pub(crate) fn read_available(&mut self) {
        for hierarchy in &mut self.hierarchies {
            if let Some(file) = hierarchy.controllers_file(&hierarchy.mount_point) {
                hierarchy.available = words(&file).unwrap_or_default();
            }
        }
    }

    /// The hierarchies according to the text of the two files. Lines of another form are ignored.
    pub fn from_parts(mountinfo: &str, self_cgroup: &str) -> Self {
        let mounts = visible_cgroup_mounts(mountinfo);
        let hierarchies = self_cgroup
            .lines()
            .filter_map(|line| {
                let mut fields = line.splitn(3, ':');
                let (_id, controllers, own) = (fields.next()?, fields.next()?, fields.next()?);
                hierarchy(&mounts, controllers, own)
            })
            .collect();
        Self { hierarchies }
    }

    /// The v2 hierarchy, if it is mounted.
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies
            .iter()
            .find(|hierarchy| hierarchy.interface().is_unified)
    }

    /// The v1 hierarchies.
    pub fn legacy(&self) -> impl Iterator<Item = &Hierarchy> {
        self.hierarchies
            .iter()
            .filter(|hierarchy| !hierarchy.interface().is_unified)
    }

    /// The v1 hierarchy that has `controller`.
    pub fn legacy_with(&self, controller: &str) -> Option<&Hierarchy> {
        self.legacy().find(|hierarchy| hierarchy.has(controller))
    }

    pub(super) fn offer(&self) -> Offer<'_> {
        let names = self.legacy().flat_map(|hierarchy| &hierarchy.controllers);
        Offer {
            v2: self.unified().map(Hierarchy::offered),
            v1: names.map(String::as_str).collect(),
        }
    }
}

/// A missing file means a kernel without cgroups.
fn read_proc(path: &Path) -> Result<String, Error> {
    match read(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io(Attempt::Read, path, &error)),
    }
}

/// A line of mountinfo.
#[derive(Debug)]
struct Mount<'a> {
    id: &'a str,
    parent: &'a str,
    root: String,
    point: String,
    read_only: bool,
    kind: &'a str,
    options: Vec<&'a str>,
}

fn parse_mount(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ');
    let (id, parent) = (fields.next()?, fields.next()?);
    let (root, point, flags) = (fields.nth(1)?, fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (kind, options) = (fields.next()?, fields.nth(1)?);
    let options: Vec<&str> = options.split(',').collect();
    Some(Mount {
        id,
        parent,
        root: unescape(root),
        point: unescape(point),
        read_only: flags.split(',').any(|flag| flag == "ro") || options.contains(&"ro"),
        kind,
        options,
    })
}

/// The kernel writes space, tab, newline and backslash as `\040` and so on.
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = rest.get(1..4).filter(|_| first == b'\\').and_then(octal);
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &rest[4..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    if !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    u8::from_str_radix(text, 8).ok()
}

fn visible_cgroup_mounts(mountinfo: &str) -> Vec<Mount<'_>> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(parse_mount).collect();
    let visible: Vec<bool> = (0..mounts.len())
        .map(|index| is_cgroup(mounts[index].kind) && !is_hidden(&mounts, index))
        .collect();
    let mut visible = visible.into_iter();
    mounts
        .into_iter()
        .filter(|_| visible.next().unwrap_or(false))
        .collect()
}

/// Whether a later mount, at the same directory or one above it, hides this one. One that this mount stands
/// on does not.
fn is_hidden(mounts: &[Mount<'_>], index: usize) -> bool {
    let mount = &mounts[index];
    mounts[index + 1..].iter().any(|later| {
        Path::new(&mount.point).starts_with(&later.point) && !stands_on(mounts, mount, later.id)
    })
}

fn stands_on(mounts: &[Mount<'_>], mount: &Mount<'_>, ancestor: &str) -> bool {
    let mut parent = mount.parent;
    // The topmost mount is its own parent. The count ends a cycle, which the file should not have.
    for _ in 0..mounts.len() {
        if parent == ancestor {
            return true;
        }
        match mounts.iter().find(|candidate| candidate.id == parent) {
            Some(next) if next.parent != parent => parent = next.parent,
            _ => return false,
        }
    }
    false
}

/// The hierarchy of one line of `/proc/self/cgroup`, at the mount that shows most of it.
fn hierarchy(mounts: &[Mount<'_>], controllers: &str, own: &str) -> Option<Hierarchy> {
    let version = Version::of_hierarchy(controllers);
    let names: Vec<&str> = controllers
        .split(',')
        .filter(|name| !name.is_empty())
        .collect();
    let mount = mounts
        .iter()
        .filter(|mount| {
            let first = names.first();
            mount.kind == version.interface().filesystem
                && first.is_none_or(|name| mount.options.contains(name))
        })
        .min_by_key(|mount| (mount.read_only, mount.root.trim_matches('/').len()))?;
    Some(Hierarchy {
        version,
        controllers: names.into_iter().map(String::from).collect(),
        available: vec![],
        mount_point: PathBuf::from(&mount.point),
        mount_root: mount.root.clone(),
        own_path: own.to_string(),
        read_only: mount.read_only,
    })
}

#[cfg(test)]
#[path = "host_test.rs"]
mod tests;
