// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Controllers: their names on either version, and which of them settings need.

use std::collections::BTreeSet;

use super::error::Mismatch;
use super::settings::file_on;
use super::version::Version;

/// The controllers of both versions, up to Linux 6.14.
const NAMES: [&str; 17] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "debug",
    "devices",
    "dmem",
    "freezer",
    "hugetlb",
    "io",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "rdma",
];

/// A name with at most this many wrong letters is taken for a misspelt one.
const SIMILAR: usize = 2;

/// Whether some kernel has a controller of this name, or a v1 hierarchy may have it.
pub(in crate::cgroup) fn is_controller(name: &str) -> bool {
    NAMES.contains(&name) || name.starts_with("name=")
}

/// The existing controller whose name is most similar to this one.
pub(in crate::cgroup) fn nearest(name: &str) -> Option<&'static str> {
    let known = NAMES.into_iter();
    let nearest = known.min_by_key(|known| distance(name, known));
    nearest.filter(|known| distance(name, known) <= SIMILAR)
}

/// The controllers that a request needs on a host of this version, by their names there.
pub(in crate::cgroup) fn needed(
    controllers: &[String],
    settings: &[(String, String)],
    version: Version,
) -> Result<BTreeSet<String>, Mismatch> {
    let mut needed = BTreeSet::new();
    let mut need = |controller: &str| match availability(version, controller) {
        Availability::With(name) => {
            needed.insert(name.to_owned());
            true
        }
        Availability::Everywhere => true,
        Availability::Nowhere => false,
    };
    for name in controllers {
        if !need(name) {
            let name = name.clone();
            return Err(Mismatch::Controller { name, version });
        }
    }
    for (name, _) in settings {
        let file = file_on(version, name);
        if !need(file.split('.').next().unwrap_or_default()) {
            let name = name.clone();
            return Err(Mismatch::Setting { name, version });
        }
    }
    Ok(needed)
}

/// Which groups have the files of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Availability<'a> {
    /// Those that have the controller of this name.
    With(&'a str),
    Everywhere,
    Nowhere,
}

/// Which groups of `version` have the files of a controller of either version.
fn availability(version: Version, name: &str) -> Availability<'_> {
    match (version, name) {
        (Version::V2, "cgroup" | "freezer" | "cpuacct" | "perf_event") => Availability::Everywhere,
        (Version::V1, "cgroup") | (Version::V2, "devices" | "net_cls" | "net_prio") => {
            Availability::Nowhere
        }
        (Version::V2, name) if name.starts_with("name=") => Availability::Nowhere,
        (version, name) => Availability::With(name_on(version, name)),
    }
}

/// The name of a controller on this version, given its name on either.
pub(in crate::cgroup) fn name_on(version: Version, name: &str) -> &str {
    match version {
        Version::V1 => v1_name(name),
        Version::V2 => v2_name(name),
    }
}

/// The v1 name of a controller, given its name on either version.
pub fn v1_name(name: &str) -> &str {
    if name == "io" { "blkio" } else { name }
}

/// The v2 name of a controller, given its name on either version.
pub fn v2_name(name: &str) -> &str {
    if name == "blkio" { "io" } else { name }
}

/// The Levenshtein distance.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn needs(
        controllers: &[&str],
        settings: &[&str],
        version: Version,
    ) -> Result<Vec<String>, Mismatch> {
        let settings = settings.iter().map(|name| (name.to_string(), "1".into()));
        let settings: Vec<_> = settings.collect();
        needed(&strings(controllers), &settings, version).map(|names| names.into_iter().collect())
    }

    #[test]
    fn either_name_needs_the_controller_of_the_host() {
        for (v1, v2, on_v1, on_v2) in [
            ("memory.limit_in_bytes", "memory.max", "memory", "memory"),
            ("cpu.cfs_period_us", "cpu.max", "cpu", "cpu"),
            ("blkio.weight", "io.weight", "blkio", "io"),
            ("blkio.throttle.write_iops_device", "io.max", "blkio", "io"),
            (
                "hugetlb.2MB.limit_in_bytes",
                "hugetlb.2MB.max",
                "hugetlb",
                "hugetlb",
            ),
            (
                "hugetlb.1GB.rsvd.limit_in_bytes",
                "hugetlb.1GB.rsvd.max",
                "hugetlb",
                "hugetlb",
            ),
            ("cpuset.cpus", "cpuset.cpus", "cpuset", "cpuset"),
            ("pids.max", "pids.max", "pids", "pids"),
        ] {
            for name in [v1, v2] {
                assert_eq!(
                    needs(&[], &[name], Version::V1),
                    Ok(strings(&[on_v1])),
                    "{name}"
                );
                assert_eq!(
                    needs(&[], &[name], Version::V2),
                    Ok(strings(&[on_v2])),
                    "{name}"
                );
            }
        }
        let freezer = needs(&[], &["cgroup.freeze"], Version::V1);
        assert_eq!(freezer, Ok(strings(&["freezer"])));
        let none = needs(&[], &["freezer.state", "cgroup.max.depth"], Version::V2);
        assert_eq!(none, Ok(vec![]));
    }

    #[test]
    fn controllers_have_two_names_or_none() {
        let all = ["io", "cpu", "cpuacct", "freezer"];
        let on_v1 = needs(&all, &[], Version::V1);
        assert_eq!(on_v1, Ok(strings(&["blkio", "cpu", "cpuacct", "freezer"])));
        assert_eq!(needs(&all, &[], Version::V2), Ok(strings(&["cpu", "io"])));
        let version = Version::V2;
        let name = "net_cls".to_owned();
        let missing = Err(Mismatch::Controller { name, version });
        assert_eq!(needs(&["net_cls"], &[], version), missing);
        for (setting, version) in [
            ("devices.allow", Version::V2),
            ("cgroup.max.depth", Version::V1),
        ] {
            let name = setting.to_owned();
            let missing = Err(Mismatch::Setting { name, version });
            assert_eq!(needs(&[], &[setting], version), missing);
        }
    }

    #[test]
    fn a_misspelt_name_is_similar_to_the_one_that_was_meant() {
        for (typo, meant) in [
            ("memroy", "memory"),
            ("mem0ry", "memory"),
            ("pid", "pids"),
            ("cpusets", "cpuset"),
            ("hugetbl", "hugetlb"),
        ] {
            assert_eq!(nearest(typo), Some(meant), "{typo}");
        }
        assert_eq!(nearest("nonsense"), None);
    }

    #[test]
    fn distances() {
        for (from, to, expected) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("ab", "ab", 0),
            ("abc", "adc", 1),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
