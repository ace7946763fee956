// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is peculiar to cgroup v2: one group, and controllers that must be passed on to it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::advice;
use super::controllers::{is_controller, misspelt};
use super::directories::Trail;
use super::fs::{read, write};
use super::group::{Group, failed};
use super::held::Held;
use super::lock::Refusal;
use super::mounts::{Hierarchy, Version};
use super::permission;
use super::request::Request;
use super::settings::needed;
use super::translate::Write;
use crate::error::{Failure, Step};
use crate::wait::Wait;

/// Makes the group, or takes over the one that is there, with its limits set.
pub(super) fn create(
    unified: &Hierarchy,
    request: &Request,
    wait: &dyn Wait,
    since: Instant,
) -> Result<Held, Refusal> {
    let needed = needed(request, Version::V2)?;
    if !needed.is_empty() {
        check_offered(unified, &needed)?;
    }
    let named =
        |refusal| permission::name_all(refusal, request, || needed.iter().cloned().collect());
    let mut trail = Trail::default();
    let group = Group::make(unified, request, &mut trail, since).map_err(named)?;
    let mut held = Held::new(Version::V2, vec![group]);
    let prepared = prepare(&mut held, request, &needed, wait);
    // While the group is still ours.
    prepared.inspect_err(|_| trail.undo())?;
    held.made = trail.keep();
    Ok(held)
}

fn prepare(
    held: &mut Held,
    request: &Request,
    needed: &BTreeSet<String>,
    wait: &dyn Wait,
) -> Result<(), Refusal> {
    let named = |failure: Failure, controllers: Vec<String>| {
        permission::name_all(failure.into(), request, || controllers)
    };
    let entry = held.groups[0].check_entry();
    entry.map_err(|failure| named(failure, needed.iter().cloned().collect()))?;
    held.take_over(request, wait)?;
    let missing = missing(&held.groups[0], needed)?;
    let enabled = enable(&held.groups[0], request, &missing);
    enabled.map_err(|failure| named(failure, missing))?;
    held.furnish(request)?;
    Ok(held.open_entries()?)
}

pub(super) fn check_offered(unified: &Hierarchy, needed: &BTreeSet<String>) -> Result<(), Failure> {
    let offered = unified.offered();
    let Some(missing) = needed.iter().find(|name| !offered.contains(name)) else {
        return Ok(());
    };
    if !is_controller(missing) {
        return Err(misspelt(missing));
    }
    let list = unified.mount_point.join("cgroup.controllers");
    let message = format!("there is no controller {missing:?} in {}", list.display());
    Err(Failure::new(Step::Cgroup, message)
        .errno(libc::ENOENT)
        .path(&list)
        .advice(advice::boot(missing, &unified.mount_point)))
}

/// The controllers that the group does not have yet.
fn missing(group: &Group, needed: &BTreeSet<String>) -> Result<Vec<String>, Failure> {
    if needed.is_empty() {
        return Ok(vec![]);
    }
    let has = words(&group.path.join("cgroup.controllers"))?;
    let missing = needed.iter().filter(|name| !has.contains(name));
    Ok(missing.cloned().collect())
}

/// Passes controllers on, from the top down, where they are not already.
fn enable(group: &Group, request: &Request, missing: &[String]) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    for above in groups_above(&group.hierarchy.mount_point, request) {
        let file = above.join("cgroup.subtree_control");
        let passed_on = words(&file)?;
        for name in missing.iter().filter(|name| !passed_on.contains(name)) {
            write(&file, &format!("+{name}")).map_err(|error| not_enabled(name, &above, &error))?;
        }
    }
    Ok(())
}

/// From the root to the parent of the group.
pub(super) fn groups_above(root: &Path, request: &Request) -> Vec<PathBuf> {
    let mut path = root.to_path_buf();
    let mut above = vec![];
    for name in request.components() {
        above.push(path.clone());
        path.push(name);
    }
    above
}

pub(super) fn words(file: &Path) -> Result<Vec<String>, Failure> {
    let text = read(file).map_err(|error| failed("read", file, &error))?;
    Ok(text.split_whitespace().map(String::from).collect())
}

pub(super) fn not_enabled(controller: &str, above: &Path, error: &io::Error) -> Failure {
    let file = above.join("cgroup.subtree_control");
    let message = format!("failed to write \"+{controller}\" to {}", file.display());
    let message = format!("{message}: the controller {controller:?} cannot be passed on");
    Failure::new(Step::Cgroup, message)
        .caused_by(error)
        .path(&file)
        .advice(advice::enable(controller, above, error))
}

/// v2 accepts CPUs and memory nodes that the groups above do not grant, and then quietly uses
/// those of the group above: a program would run outside of what was asked for.
pub(super) fn check_cpuset(group: &Group, write: &Write) -> Result<(), Failure> {
    let (asked, file) = match write.file.as_str() {
        "cpuset.cpus" | "cpuset.mems" => (&write.value, format!("{}.effective", write.file)),
        _ => return Ok(()),
    };
    let path = group.path.join(&file);
    let granted = group
        .read(&file)
        .map_err(|error| failed("read", &path, &error))?;
    let granted = granted.trim();
    if asked.trim().is_empty() || is_within(granted, asked) {
        return Ok(());
    }
    let message = format!(
        "failed to write {asked:?} to {}: the group above grants only {granted:?}",
        group.path.join(&write.file).display()
    );
    Err(Failure::new(Step::Cgroup, message)
        .errno(libc::EINVAL)
        .path(group.path.join(&write.file))
        .advice(format!(
            "`cat {}` shows what there is",
            group.path.with_file_name(&file).display()
        )))
}

/// Whether every number of one list such as `0-2,5` is in the other. Lists that cannot be read are
/// the kernel's business, which has accepted them.
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
            // No machine has more, and the list must not make us count to four thousand million.
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
    use std::fs;

    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert!(is_within("0-1", "0-3"));
        assert!(is_within("0,2", "0-1,2"));
        assert!(is_within("", "3"));
        assert!(!is_within("0-1", "1"));
        assert!(!is_within("0-1", "7"));
        assert!(is_within("0-1", "all"), "not for us to judge");
    }

    #[test]
    fn the_way_down() {
        let request = Request {
            group: "/a/b/c".into(),
            ..Request::default()
        };
        let above = groups_above(Path::new("/cg"), &request);
        assert_eq!(above, ["/cg", "/cg/a", "/cg/a/b"].map(PathBuf::from));
    }

    #[test]
    fn a_controller_that_the_kernel_lacks() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("cgroup.controllers"), "cpu pids\n").expect("file");
        let unified = Hierarchy {
            version: Version::V2,
            controllers: vec![],
            mount_point: root.path().into(),
            mount_root: "/".into(),
            own_path: "/".into(),
            read_only: false,
        };
        let request = Request {
            group: "x".into(),
            settings: vec![("memory.limit_in_bytes".into(), "1M".into())],
            ..Request::default()
        };
        let now = Instant::now();
        let created = create(&unified, &request, &crate::wait::Undisturbed, now);
        let Err(Refusal::Failed(error)) = created else {
            panic!("there is no memory")
        };
        assert!(
            error
                .message
                .starts_with("there is no controller \"memory\" in "),
            "{error}"
        );
        assert!(error.path.ends_with("cgroup.controllers"));
        assert!(!root.path().join("x").exists());
    }
}
