// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Choosing the hierarchies in which a program gets a group.

use std::collections::BTreeSet;

use super::dialect::{Version, is_controller, nearest};
use super::error::Error;
use super::host::{Hierarchy, Host};

/// The hierarchies for a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies<'a> {
    /// Those of the controllers that it needs.
    pub needed: Vec<&'a Hierarchy>,
    /// One more may be used, so that all processes can be killed or frozen together. Best first.
    pub alternatives: Vec<&'a Hierarchy>,
}

/// Chooses hierarchies of this version for these controllers.
pub(super) fn hierarchies<'a>(
    host: &'a Host,
    version: Version,
    controllers: &BTreeSet<String>,
) -> Result<Hierarchies<'a>, Error> {
    match host.unified().filter(|unified| unified.version == version) {
        Some(unified) => in_unified(unified, controllers),
        None => in_legacy(host, controllers),
    }
}

/// The one that has all controllers, even if none is needed.
fn in_unified<'a>(
    unified: &'a Hierarchy,
    controllers: &BTreeSet<String>,
) -> Result<Hierarchies<'a>, Error> {
    let offered = unified.offered();
    if let Some(name) = controllers.iter().find(|name| !offered.contains(name)) {
        return Err(unknown(name).unwrap_or_else(|| Error::NotOffered {
            controller: name.clone(),
            list: unified
                .controllers_file(&unified.mount_point)
                .unwrap_or_default(),
        }));
    }
    Ok(Hierarchies {
        needed: vec![unified],
        alternatives: vec![],
    })
}

/// Those that have the controllers. If controllers are needed, the alternatives are only hierarchies that can freeze or
/// kill: another would cost one more directory and gain nothing.
fn in_legacy<'a>(host: &'a Host, controllers: &BTreeSet<String>) -> Result<Hierarchies<'a>, Error> {
    let mut needed: Vec<&Hierarchy> = vec![];
    for name in controllers {
        let hierarchy = host.legacy_with(name).ok_or_else(|| {
            unknown(name).unwrap_or_else(|| Error::NotMounted {
                controller: name.clone(),
                needed: controllers.iter().cloned().collect(),
            })
        })?;
        if !needed.contains(&hierarchy) {
            needed.push(hierarchy);
        }
    }
    let mut alternatives: Vec<&Hierarchy> = vec![];
    // The freezer may be mounted together with a controller that is needed.
    if !needed.iter().any(|hierarchy| hierarchy.freezer().is_some()) {
        alternatives.extend(host.unified());
        alternatives.extend(
            host.legacy()
                .filter(|hierarchy| hierarchy.freezer().is_some()),
        );
        if needed.is_empty() {
            let others = host
                .legacy()
                .filter(|hierarchy| hierarchy.freezer().is_none());
            let (named, others): (Vec<_>, Vec<_>) =
                others.partition(|hierarchy| hierarchy.controllers[0].starts_with("name="));
            alternatives.extend(named.into_iter().chain(others));
        }
    }
    Ok(Hierarchies {
        needed,
        alternatives,
    })
}

/// The error for a name that is not a controller of any kernel; `None` for other names.
fn unknown(name: &str) -> Option<Error> {
    (!is_controller(name)).then(|| Error::UnknownController {
        name: name.into(),
        nearest: nearest(name),
    })
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

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn chosen(mounts: &str, controllers: &[&str]) -> (Vec<String>, Vec<String>) {
        let host = Host::from_parts(mounts, OWN);
        let found = in_legacy(&host, &names(controllers)).expect("hierarchies");
        let labels = |list: Vec<&Hierarchy>| list.into_iter().map(Hierarchy::label).collect();
        (labels(found.needed), labels(found.alternatives))
    }

    #[test]
    fn one_group_for_controllers_mounted_together() {
        let (needed, alternatives) = chosen(MOUNTS, &["cpu", "cpuacct", "memory"]);
        assert_eq!(needed, ["cpu,cpuacct", "memory"]);
        assert_eq!(alternatives, ["", "freezer"]);
    }

    #[test]
    fn the_freezer_needs_no_other_hierarchy() {
        assert_eq!(
            chosen(MOUNTS, &["freezer"]),
            (vec!["freezer".into()], vec![])
        );
    }

    #[test]
    fn containment_alone() {
        let (needed, alternatives) = chosen(MOUNTS, &[]);
        assert_eq!(needed, Vec::<String>::new());
        assert_eq!(
            alternatives,
            ["", "freezer", "name=systemd", "memory", "cpu,cpuacct"]
        );
    }

    #[test]
    fn missing_controllers_are_named() {
        let host = Host::from_parts(MOUNTS, OWN);
        let error = in_legacy(&host, &names(&["pids", "memory"])).expect_err("no pids");
        assert_eq!(
            error.to_string(),
            "no cgroup hierarchy with the controller \"pids\" is mounted (also needed: memory)"
        );
        let error = in_legacy(&host, &names(&["memroy"])).expect_err("misspelt");
        assert_eq!(
            error.to_string(),
            "there is no cgroup controller \"memroy\" (did you mean \"memory\"?)"
        );
        let host = Host::default();
        let none = Ok(Hierarchies::default());
        assert_eq!(in_legacy(&host, &names(&[])), none);
    }
}
