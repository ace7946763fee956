// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is peculiar to cgroup v1: a directory in each of several hierarchies, and cpusets that are empty
//! at first.

use std::collections::BTreeSet;
use std::path::Path;

use super::dialect::{is_controller, nearest};
use super::error::{Attempt, Error};
use super::fs::{read, write};
use super::host::{Hierarchy, Host};

/// The hierarchies of these controllers, and those of which any one would hold the processes together,
/// best first. Where controllers are needed, only those that can freeze or kill are worth one more
/// directory.
pub(super) fn hierarchies<'a>(
    host: &'a Host,
    needed: &BTreeSet<String>,
) -> Result<(Vec<&'a Hierarchy>, Vec<&'a Hierarchy>), Error> {
    let mut wanted: Vec<&Hierarchy> = vec![];
    for name in needed {
        let hierarchy = host
            .legacy_with(name)
            .ok_or_else(|| missing(name, needed))?;
        if !wanted.contains(&hierarchy) {
            wanted.push(hierarchy);
        }
    }
    // Also when it is mounted together with one that is needed.
    if wanted.iter().any(|hierarchy| hierarchy.has("freezer")) {
        return Ok((wanted, vec![]));
    }
    let mut alternatives: Vec<&Hierarchy> = host.unified().into_iter().collect();
    alternatives.extend(host.legacy_with("freezer"));
    if wanted.is_empty() {
        let (named, others): (Vec<_>, Vec<_>) = host
            .legacy()
            .partition(|hierarchy| hierarchy.controllers[0].starts_with("name="));
        let others = others
            .into_iter()
            .filter(|hierarchy| !hierarchy.has("freezer"));
        alternatives.extend(named.into_iter().chain(others));
    }
    Ok((wanted, alternatives))
}

fn missing(name: &str, needed: &BTreeSet<String>) -> Error {
    if !is_controller(name) {
        return Error::UnknownController {
            name: name.into(),
            nearest: nearest(name),
        };
    }
    Error::NotMounted {
        controller: name.into(),
        needed: needed.iter().cloned().collect(),
    }
}

/// Copies the CPUs and memory nodes of the group above: no process may enter a new cpuset before it has
/// some.
pub(super) fn inherit_cpuset(group: &Path) -> Result<(), Error> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let text_of = |path: &Path| {
            let text = read(path).map_err(|error| Error::io(Attempt::Read, path, &error))?;
            Ok(text.trim().to_owned())
        };
        let own = group.join(file);
        if !text_of(&own)?.is_empty() {
            continue;
        }
        let inherited = text_of(&group.with_file_name(file))?;
        write(&own, &inherited)
            .map_err(|error| Error::io(Attempt::Write(inherited), &own, &error))?;
    }
    Ok(())
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
        let (wanted, alternatives) = hierarchies(&host, &names(controllers)).expect("hierarchies");
        let labels = |list: Vec<&Hierarchy>| list.into_iter().map(Hierarchy::label).collect();
        (labels(wanted), labels(alternatives))
    }

    #[test]
    fn one_group_for_controllers_mounted_together() {
        let (wanted, alternatives) = chosen(MOUNTS, &["cpu", "cpuacct", "memory"]);
        assert_eq!(wanted, ["cpu,cpuacct", "memory"]);
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
        let (wanted, alternatives) = chosen(MOUNTS, &[]);
        assert_eq!(wanted, Vec::<String>::new());
        assert_eq!(
            alternatives,
            ["", "freezer", "name=systemd", "memory", "cpu,cpuacct"]
        );
    }

    #[test]
    fn missing_controllers_are_named() {
        let host = Host::from_parts(MOUNTS, OWN);
        let error = hierarchies(&host, &names(&["pids", "memory"])).expect_err("no pids");
        assert_eq!(
            error.to_string(),
            "no cgroup hierarchy with the controller \"pids\" is mounted (also needed: memory)"
        );
        let error = hierarchies(&host, &names(&["memroy"])).expect_err("misspelt");
        assert_eq!(
            error.to_string(),
            "there is no cgroup controller \"memroy\" (did you mean \"memory\"?)"
        );
        let none = (vec![], vec![]);
        assert_eq!(hierarchies(&Host::default(), &names(&[])), Ok(none));
    }
}
