// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is peculiar to cgroup v1: a group in each of several hierarchies, and one more that holds
//! the processes together where none of those can.

use std::collections::BTreeSet;
use std::time::Instant;

use super::advice;
use super::controllers::{is_controller, misspelt};
use super::directories::Trail;
use super::dry_run::{deepest_existing, is_writable};
use super::group::Group;
use super::held::Held;
use super::lock::Refusal;
use super::mounts::{Hierarchy, Host, Version};
use super::permission;
use super::request::Request;
use super::settings::needed;
use crate::error::{Failure, Step};
use crate::wait::Wait;

/// Makes the groups, or takes over those that are there, with their limits set.
pub(super) fn create(
    host: &Host,
    request: &Request,
    wait: &dyn Wait,
    since: Instant,
) -> Result<Held, Refusal> {
    let (wanted, spare) = hierarchies(host, request)?;
    // What was made is undone while the groups are still ours: in this order.
    let mut groups = vec![];
    let mut trail = Trail::default();
    for hierarchy in &wanted {
        let group = Group::make(hierarchy, request, &mut trail, since);
        let named = |refusal| permission::name_all(refusal, request, || denied(&wanted, request));
        groups.push(group.map_err(named)?);
    }
    let mut refusal = None;
    for hierarchy in spare {
        match contain(hierarchy, request, since) {
            Ok((group, made)) => {
                groups.push(group);
                trail.join(made);
                break;
            }
            Err(Refusal::Failed(failure)) => refusal = refusal.or(Some(failure)),
            busy => busy.map(drop)?,
        }
    }
    if groups.is_empty() {
        let refusal = refusal.unwrap_or_else(no_hierarchy);
        return Err(permission::name_all(refusal.into(), request, Vec::new));
    }
    let mut held = Held::new(Version::V1, groups);
    let prepared = prepare(&mut held, request, wait);
    prepared.inspect_err(|_| trail.undo())?;
    held.made = trail.keep();
    Ok(held)
}

fn prepare(held: &mut Held, request: &Request, wait: &dyn Wait) -> Result<(), Failure> {
    held.take_over(request, wait)?;
    held.furnish(request)?;
    held.open_entries()
}

/// The hierarchies that are asked for, and those of which any one would hold the processes
/// together, best first. Where something is asked for, only those that can freeze or kill are worth
/// a group more.
pub(super) fn hierarchies<'a>(
    host: &'a Host,
    request: &Request,
) -> Result<(Vec<&'a Hierarchy>, Vec<&'a Hierarchy>), Failure> {
    let needed = needed(request, Version::V1)?;
    let mut wanted: Vec<&Hierarchy> = vec![];
    for name in &needed {
        let hierarchy = host
            .legacy_with(name)
            .ok_or_else(|| missing(name, &needed))?;
        if !wanted.contains(&hierarchy) {
            wanted.push(hierarchy);
        }
    }
    // Also when it is mounted together with one that is needed.
    if wanted.iter().any(|hierarchy| hierarchy.has("freezer")) {
        return Ok((wanted, vec![]));
    }
    let mut spare: Vec<&Hierarchy> = host.unified().into_iter().collect();
    spare.extend(host.legacy_with("freezer"));
    if wanted.is_empty() {
        let (named, others): (Vec<_>, Vec<_>) = host
            .legacy()
            .partition(|hierarchy| hierarchy.controllers[0].starts_with("name="));
        let others = others
            .into_iter()
            .filter(|hierarchy| !hierarchy.has("freezer"));
        spare.extend(named.into_iter().chain(others));
    }
    Ok((wanted, spare))
}

/// The controllers whose hierarchies are out of reach.
fn denied(wanted: &[&Hierarchy], request: &Request) -> Vec<String> {
    let denied =
        |hierarchy: &&&Hierarchy| !is_writable(&deepest_existing(hierarchy, &request.group));
    let denied = wanted.iter().filter(denied);
    denied
        .map(|hierarchy| hierarchy.controllers.join(","))
        .collect()
}

/// One group more, to hold the processes together. Where that is refused, the next may do.
fn contain(
    hierarchy: &Hierarchy,
    request: &Request,
    since: Instant,
) -> Result<(Group, Trail), Refusal> {
    let mut trail = Trail::default();
    let mut group = Group::make(hierarchy, request, &mut trail, since)?;
    // Some let us make groups and not enter them.
    let entered = group.open_entry().and_then(|()| group.check_entry());
    // While the group is still ours.
    entered.inspect_err(|_| trail.undo())?;
    Ok((group, trail))
}

fn missing(name: &str, needed: &BTreeSet<String>) -> Failure {
    if !is_controller(name) {
        return misspelt(name);
    }
    let others: Vec<&str> = needed
        .iter()
        .map(String::as_str)
        .filter(|other| *other != name)
        .collect();
    let mut message = format!("no cgroup hierarchy with the controller {name:?} is mounted");
    if !others.is_empty() {
        message = format!("{message} (also needed: {})", others.join(", "));
    }
    Failure::new(Step::Cgroup, message)
        .errno(libc::ENOENT)
        .path(name)
        .advice(advice::mount(name))
}

pub(super) fn no_hierarchy() -> Failure {
    Failure::new(Step::Cgroup, "no cgroup hierarchy is mounted on this host")
        .errno(libc::ENOENT)
        .path("/proc/self/mountinfo")
        .advice("as root: `mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
32 31 0:29 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory
37 31 0:34 / /cg/freezer rw - cgroup cgroup rw,freezer
40 31 0:37 / /cg/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw
";
    const OWN: &str = "4:memory:/\n3:cpu,cpuacct:/\n2:freezer:/\n1:name=systemd:/\n0::/\n";

    fn chosen(mounts: &str, controllers: &[&str]) -> (Vec<String>, Vec<String>) {
        let host = Host::from_parts(mounts, OWN);
        let request = Request {
            group: "x".into(),
            controllers: controllers.iter().map(ToString::to_string).collect(),
            settings: vec![],
        };
        let (wanted, spare) = hierarchies(&host, &request).expect("hierarchies");
        let names = |list: Vec<&Hierarchy>| list.iter().map(|h| h.controllers.join(",")).collect();
        (names(wanted), names(spare))
    }

    #[test]
    fn one_group_for_controllers_mounted_together() {
        let (wanted, spare) = chosen(MOUNTS, &["cpu", "cpuacct", "memory"]);
        assert_eq!(wanted, ["cpu,cpuacct", "memory"]);
        assert_eq!(spare, ["", "freezer"]);
    }

    #[test]
    fn the_freezer_needs_nothing_beside_it() {
        assert_eq!(
            chosen(MOUNTS, &["freezer"]),
            (vec!["freezer".into()], vec![])
        );
    }

    #[test]
    fn containment_alone() {
        let (wanted, spare) = chosen(MOUNTS, &[]);
        assert_eq!(wanted, Vec::<String>::new());
        assert_eq!(
            spare,
            ["", "freezer", "name=systemd", "memory", "cpu,cpuacct"]
        );
    }

    #[test]
    fn a_refusal_without_a_directory_that_is_out_of_reach_stays_as_it_is() {
        let root = tempfile::tempdir().expect("a folder");
        let mount = root.path().display();
        let host = Host::from_parts(
            &format!("35 31 0:32 / {mount} rw - cgroup cgroup rw,memory\n"),
            "4:memory:/\n",
        );
        let wanted: Vec<&Hierarchy> = host.legacy().collect();
        let failure = Failure::new(Step::Cgroup, "failed to create x").errno(libc::EPERM);
        let request = Request::default();
        let denied = || denied(&wanted, &request);
        let refusal = permission::name_all(Refusal::Failed(failure), &request, denied);
        let Refusal::Failed(failure) = refusal else {
            panic!("it is not busy")
        };
        assert_eq!(failure.message, "failed to create x");
    }

    #[test]
    fn what_is_missing_is_named() {
        let host = Host::from_parts(MOUNTS, OWN);
        let request = Request {
            group: "x".into(),
            controllers: vec!["pids".into(), "memory".into()],
            settings: vec![],
        };
        let error = hierarchies(&host, &request).expect_err("no pids");
        assert_eq!(
            error.message,
            "no cgroup hierarchy with the controller \"pids\" is mounted (also needed: memory)"
        );
        let error = create(
            &Host::default(),
            &Request {
                group: "x".into(),
                ..Request::default()
            },
            &crate::wait::Undisturbed,
            Instant::now(),
        );
        let Err(Refusal::Failed(error)) = error else {
            panic!("there is nothing")
        };
        assert_eq!(error.message, no_hierarchy().message);
    }
}
