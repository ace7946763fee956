// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What [`super::Cgroup::create`] would say to a request, found out by looking only.
//!
//! Nothing is made, written or moved. So what only the attempt shows stays unknown: whether the
//! kernel takes the values, `cgroup.max.descendants`, and the rules of a security module.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

use super::fs::read;
use super::group::failed;
use super::mounts::{Hierarchy, Host, Version};
use super::request::Request;
use super::settings::needed;
use super::{advice, suffices, v1, v2};
use crate::error::{Failure, Step};

/// What would be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// For each group its controllers, joined by commas and empty on v2, and its directory.
    pub directories: Vec<(String, PathBuf)>,
    /// The groups above them that are missing, from the top down.
    pub missing: Vec<PathBuf>,
    /// The hierarchy by which all processes are killed at once, v2 or the v1 freezer; without one
    /// they get their signals one by one.
    pub holder: Option<Hierarchy>,
}

/// Whether a fresh group could be made, given its controllers, and entered.
///
/// # Errors
///
/// As [`super::Cgroup::create`], as far as looking shows it.
pub fn dry_run(host: &Host, request: &Request) -> Result<Outlook, Failure> {
    request.validate()?;
    request.validate_on(host)?;
    let unified = host.unified();
    if let Some(unified) = unified.filter(|unified| suffices(host, unified, request)) {
        return on_v2(unified, request);
    }
    on_v1(host, request)
}

fn on_v2(unified: &Hierarchy, request: &Request) -> Result<Outlook, Failure> {
    let needed = needed(request, Version::V2)?;
    if !needed.is_empty() {
        v2::check_offered(unified, &needed)?;
    }
    let mut outlook = Outlook::default();
    let existing = outlook.add(unified, request)?;
    check_entry(unified, request)?;
    check_enable(unified, request, &needed, &existing)?;
    outlook.holder = Some(unified.clone());
    Ok(outlook)
}

fn on_v1(host: &Host, request: &Request) -> Result<Outlook, Failure> {
    let (wanted, spare) = v1::hierarchies(host, request)?;
    let mut outlook = Outlook::default();
    for hierarchy in &wanted {
        outlook.add(hierarchy, request)?;
    }
    let mut refusal = None;
    for hierarchy in spare {
        let mut more = Outlook::default();
        let added = more.add(hierarchy, request);
        match added.and_then(|_| check_entry(hierarchy, request)) {
            Ok(()) => {
                outlook.directories.append(&mut more.directories);
                outlook.missing.append(&mut more.missing);
                outlook.holder = Some(hierarchy.clone());
                break;
            }
            Err(failure) => refusal = refusal.or(Some(failure)),
        }
    }
    // A hierarchy that only lists processes does not hold them together.
    outlook.holder = wanted
        .into_iter()
        .cloned()
        .chain(outlook.holder)
        .find(|hierarchy| hierarchy.version == Version::V2 || hierarchy.has("freezer"));
    if outlook.directories.is_empty() {
        return Err(refusal.unwrap_or_else(v1::no_hierarchy));
    }
    Ok(outlook)
}

impl Outlook {
    /// Plans one group: the deepest directory on the way to it that is there.
    fn add(&mut self, hierarchy: &Hierarchy, request: &Request) -> Result<PathBuf, Failure> {
        let leaf = hierarchy.directory(&request.group);
        let (existing, missing) = way(hierarchy, request);
        let first = missing.first().unwrap_or(&leaf);
        let refused = |error: &io::Error| {
            failed("create", first, error).advice(advice::mkdir(hierarchy, &leaf, error))
        };
        if !existing.is_dir() {
            return Err(refused(&io::Error::from_raw_os_error(libc::ENOTDIR)));
        }
        may(&existing, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|error| refused(&error))?;
        let above = missing.len().saturating_sub(1);
        self.missing.extend_from_slice(&missing[..above]);
        self.directories
            .push((hierarchy.controllers.join(","), leaf));
        Ok(existing)
    }
}

/// The deepest directory that is there, and all that is missing below it, the group included.
fn way(hierarchy: &Hierarchy, request: &Request) -> (PathBuf, Vec<PathBuf>) {
    let mut existing = hierarchy.mount_point.clone();
    let mut missing: Vec<PathBuf> = vec![];
    for name in request.components() {
        let next = missing.last().unwrap_or(&existing).join(name);
        if missing.is_empty() && fs::symlink_metadata(&next).is_ok() {
            existing = next;
        } else {
            missing.push(next);
        }
    }
    (existing, missing)
}

/// The deepest directory on the way to a group that is there.
pub fn deepest_existing(hierarchy: &Hierarchy, group: &str) -> PathBuf {
    let request = Request {
        group: group.into(),
        ..Request::default()
    };
    way(hierarchy, &request).0
}

fn may(path: &Path, what: AccessFlags) -> io::Result<()> {
    Ok(faccessat(AT_FDCWD, path, what, AtFlags::AT_EACCESS)?)
}

/// Whether this process may write to a file or directory: access(2) with its effective ids.
pub fn is_writable(path: &Path) -> bool {
    may(path, AccessFlags::W_OK).is_ok()
}

/// On v2, moving a process takes a writable `cgroup.procs` in the nearest group above both places.
fn check_entry(hierarchy: &Hierarchy, request: &Request) -> Result<(), Failure> {
    let (Version::V2, Some(own)) = (hierarchy.version, hierarchy.own_directory()) else {
        return Ok(());
    };
    let leaf = hierarchy.directory(&request.group);
    let common = own.ancestors().find(|above| leaf.starts_with(above));
    let file = common.unwrap_or(&own).join("cgroup.procs");
    may(&file, AccessFlags::W_OK).map_err(|error| {
        let message = format!(
            "a program started here cannot enter {}: {} is not writable",
            leaf.parent().unwrap_or(&leaf).display(),
            file.display()
        );
        Failure::new(Step::Cgroup, message)
            .caused_by(&error)
            .path(&file)
            .advice(advice::enter(hierarchy, &leaf, &error))
    })
}

/// What the groups made on the way get, and pass on, is ours to say. Those that are there have to
/// pass it on already, or let us tell them to.
fn check_enable(
    hierarchy: &Hierarchy,
    request: &Request,
    needed: &BTreeSet<String>,
    existing: &Path,
) -> Result<(), Failure> {
    for above in v2::groups_above(&hierarchy.mount_point, request) {
        if !existing.starts_with(&above) {
            break;
        }
        let file = above.join("cgroup.subtree_control");
        let passed_on = v2::words(&file)?;
        for name in needed.iter().filter(|name| !passed_on.contains(name)) {
            let refused = |error: &io::Error| v2::not_enabled(name, &above, error);
            may(&file, AccessFlags::W_OK).map_err(|error| refused(&error))?;
            if !is_top(&above) && holds_processes(&above) {
                return Err(refused(&io::Error::from_raw_os_error(libc::EBUSY)));
            }
        }
    }
    Ok(())
}

/// The root of the whole hierarchy is exempt from "no internal processes", and has no such file.
fn is_top(group: &Path) -> bool {
    !group.join("cgroup.events").exists()
}

fn holds_processes(group: &Path) -> bool {
    read(&group.join("cgroup.procs")).is_ok_and(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A v2 tree in a folder: this process is in `/app/main`, `/app` passes on pids.
    fn tree() -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().expect("a folder");
        let point = root.path().join("cg");
        let files = [
            ("cgroup.controllers", "cpu memory pids"),
            ("cgroup.subtree_control", "memory pids"),
            ("cgroup.procs", "1\n"),
            ("app/cgroup.controllers", "memory pids"),
            ("app/cgroup.subtree_control", "pids"),
            ("app/cgroup.events", "populated 1\n"),
            ("app/cgroup.procs", ""),
            ("app/main/cgroup.procs", "7\n"),
            ("app/main/cgroup.events", "populated 1\n"),
            ("app/main/cgroup.subtree_control", ""),
        ];
        for (name, text) in files {
            let path = point.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            fs::write(path, text).expect("file");
        }
        let mounts = format!("1 0 0:26 / {} rw - cgroup2 c rw\n", point.display());
        let host = Host::from_parts(&mounts, "0::/app/main\n");
        (root, host)
    }

    fn request(group: &str, controllers: &[&str]) -> Request {
        Request {
            group: group.into(),
            controllers: controllers.iter().map(ToString::to_string).collect(),
            settings: vec![],
        }
    }

    #[test]
    fn what_would_be_made() {
        let (root, host) = tree();
        let point = root.path().join("cg");
        let outlook = dry_run(&host, &request("app/a/b/x", &["memory"])).expect("it works");
        assert_eq!(
            outlook.missing,
            [point.join("app/a"), point.join("app/a/b")]
        );
        assert_eq!(
            outlook.directories,
            [(String::new(), point.join("app/a/b/x"))]
        );
        assert_eq!(outlook.holder, host.unified().cloned());
        assert!(!point.join("app/a").exists(), "looking only");
        let control = fs::read_to_string(point.join("app/cgroup.subtree_control"));
        assert_eq!(control.expect("read"), "pids", "looking only");
        assert_eq!(
            deepest_existing(&host.hierarchies[0], "app/a/b"),
            point.join("app")
        );
    }

    #[test]
    fn a_controller_that_is_not_there() {
        let (_root, host) = tree();
        let failure = dry_run(&host, &request("app/x", &["io"])).expect_err("no io");
        assert!(failure.message.contains("no controller \"io\""));
    }

    #[test]
    fn a_group_with_processes_passes_nothing_on() {
        let (_root, host) = tree();
        let failure = dry_run(&host, &request("app/main/x", &["pids"])).expect_err("busy");
        assert_eq!(failure.errno, libc::EBUSY);
        assert!(failure.path.ends_with("app/main/cgroup.subtree_control"));
        assert!(dry_run(&host, &request("app/main/x", &[])).is_ok());
        // The top may: it has processes, and no cgroup.events.
        assert!(dry_run(&host, &request("x/y", &["cpu"])).is_ok());
    }

    #[test]
    fn a_file_is_no_group_and_bad_paths_are_refused() {
        let (_root, host) = tree();
        let failure = dry_run(&host, &request("cgroup.procs/x", &[])).expect_err("a file");
        assert_eq!(failure.errno, libc::ENOTDIR);
        assert!(dry_run(&host, &request("../x", &[])).is_err());
    }

    #[test]
    fn on_v1_the_freezer_holds_and_a_missing_mount_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let mut mounts = String::new();
        for (number, name) in ["memory", "freezer", "pids"].iter().enumerate() {
            let point = root.path().join(name);
            fs::create_dir(&point).expect("directory");
            let point = point.display();
            let line = format!("{number} 99 0:{number} / {point} rw - cgroup c rw,{name}\n");
            mounts.push_str(&line);
        }
        let own = "3:memory:/\n2:freezer:/\n1:pids:/\n";
        let host = Host::from_parts(&mounts, own);
        let outlook = dry_run(&host, &request("b/x", &["memory"])).expect("it works");
        let labels: Vec<&str> = outlook
            .directories
            .iter()
            .map(|(l, _)| l.as_str())
            .collect();
        assert_eq!(labels, ["memory", "freezer"]);
        assert_eq!(outlook.holder.as_ref(), host.legacy_with("freezer"));
        let failure = dry_run(&host, &request("b/x", &["cpu"])).expect_err("no cpu");
        assert_eq!(failure.path, Path::new("cpu"));
        fs::remove_dir(root.path().join("freezer")).expect("rmdir");
        let outlook = dry_run(&host, &request("b/x", &["memory"])).expect("still");
        assert_eq!(outlook.holder, None);
        assert_eq!(outlook.directories.len(), 1);
        let none = dry_run(&Host::default(), &request("x", &[])).expect_err("nothing");
        assert_eq!(none.message, v1::no_hierarchy().message);
    }
}
