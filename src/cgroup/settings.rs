// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The one table of settings in both dialects, and what follows from it: which file of this host a
//! setting belongs to, and which controller it needs.
//!
//! Meanings are from the kernel: [v1](https://docs.kernel.org/admin-guide/cgroup-v1/) and
//! [v2](https://docs.kernel.org/admin-guide/cgroup-v2.html).

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::mounts::Version;
use super::request::Request;
use crate::error::{Failure, Step};

/// How a value changes between the dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// Not at all.
    Same,
    /// `-1` on v1 is `max` on v2.
    Limit,
    /// Memory and swap together on v1, swap alone on v2: needs the memory limit.
    Swap,
    /// `cpu.shares` and `cpu.weight`.
    CpuWeight,
    /// The first and the second half of `cpu.max`.
    Quota,
    Period,
    /// `blkio.weight`, for all devices or for one, and `io.weight`.
    IoWeight,
    /// One key of `io.max`; no limit is `0` on v1.
    Rate(&'static str),
    /// `FROZEN` and `THAWED`, `1` and `0`.
    Frozen,
}

struct Row {
    v1: &'static str,
    v2: &'static str,
    map: Map,
}

const fn row(v1: &'static str, v2: &'static str, map: Map) -> Row {
    Row { v1, v2, map }
}

/// What is not here has the same name and meaning in both dialects, or exists in only one.
static ROWS: [Row; 17] = [
    row("memory.limit_in_bytes", "memory.max", Map::Limit),
    row("memory.soft_limit_in_bytes", "memory.low", Map::Limit),
    row("memory.memsw.limit_in_bytes", "memory.swap.max", Map::Swap),
    row("cpu.shares", "cpu.weight", Map::CpuWeight),
    row("cpu.cfs_quota_us", "cpu.max", Map::Quota),
    row("cpu.cfs_period_us", "cpu.max", Map::Period),
    row("cpu.cfs_burst_us", "cpu.max.burst", Map::Same),
    row("blkio.weight", "io.weight", Map::IoWeight),
    row("blkio.weight_device", "io.weight", Map::IoWeight),
    row("blkio.bfq.weight", "io.bfq.weight", Map::Same),
    row(
        "blkio.throttle.read_bps_device",
        "io.max",
        Map::Rate("rbps"),
    ),
    row(
        "blkio.throttle.write_bps_device",
        "io.max",
        Map::Rate("wbps"),
    ),
    row(
        "blkio.throttle.read_iops_device",
        "io.max",
        Map::Rate("riops"),
    ),
    row(
        "blkio.throttle.write_iops_device",
        "io.max",
        Map::Rate("wiops"),
    ),
    row("freezer.state", "cgroup.freeze", Map::Frozen),
    // Read only, here so that either name finds the file.
    row("memory.usage_in_bytes", "memory.current", Map::Same),
    row("memory.max_usage_in_bytes", "memory.peak", Map::Same),
];

/// What the table says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// The dialect that the name is from; nothing when both have it, or the table does not know.
    pub dialect: Option<Version>,
    /// Its file on v1. `cpu.max`, `io.max` and `io.weight` have several: this is the first.
    pub v1: Cow<'a, str>,
    /// Its file on v2.
    pub v2: Cow<'a, str>,
    pub map: Map,
}

impl Found<'_> {
    pub fn file(&self, version: Version) -> &str {
        match version {
            Version::V1 => &self.v1,
            Version::V2 => &self.v2,
        }
    }
}

pub(super) fn find(name: &str) -> Found<'_> {
    if let Some(found) = find_hugetlb(name) {
        return found;
    }
    let known = ROWS.iter().find_map(|row| {
        let dialect = [(row.v1, Version::V1), (row.v2, Version::V2)];
        let dialect = dialect.into_iter().find(|(file, _)| *file == name)?.1;
        Some(Found {
            dialect: Some(dialect),
            v1: Cow::Borrowed(row.v1),
            v2: Cow::Borrowed(row.v2),
            map: row.map,
        })
    });
    known.unwrap_or(Found {
        dialect: None,
        v1: name.into(),
        v2: name.into(),
        map: Map::Same,
    })
}

/// `hugetlb.2MB.limit_in_bytes` is `hugetlb.2MB.max`, for every size of page, and `rsvd` too.
fn find_hugetlb(name: &str) -> Option<Found<'_>> {
    let (dialect, stem) = match name.strip_suffix(".limit_in_bytes") {
        Some(stem) => (Version::V1, stem),
        None => (Version::V2, name.strip_suffix(".max")?),
    };
    stem.starts_with("hugetlb.").then(|| Found {
        dialect: Some(dialect),
        v1: format!("{stem}.limit_in_bytes").into(),
        v2: format!("{stem}.max").into(),
        map: Map::Limit,
    })
}

/// The v1 files that the keys of `io.max` go to.
pub(super) fn rate_file(key: &str) -> Option<&'static str> {
    ROWS.iter()
        .find(|row| row.map == Map::Rate(match_key(key)))
        .map(|row| row.v1)
}

fn match_key(key: &str) -> &'static str {
    ["rbps", "wbps", "riops", "wiops"]
        .into_iter()
        .find(|known| *known == key)
        .unwrap_or("")
}

/// The controllers that a request needs on a host of this version, in its words.
pub(super) fn needed(request: &Request, version: Version) -> Result<BTreeSet<String>, Failure> {
    let mut needed = BTreeSet::new();
    for name in &request.controllers {
        needed.extend(controller(name, version).map_err(|()| no_controller(name, version))?);
    }
    for (name, _) in &request.settings {
        let found = find(name);
        let file = found.file(version);
        let prefix = file.split('.').next().unwrap_or_default();
        needed.extend(controller(prefix, version).map_err(|()| no_counterpart(name, version))?);
    }
    Ok(needed)
}

/// What a controller of either dialect is called on this version: nothing when it is always there,
/// an error when there is no such thing.
pub(super) fn controller(name: &str, version: Version) -> Result<Option<String>, ()> {
    match (version, name) {
        (Version::V1, "io") => Ok(Some("blkio".into())),
        (Version::V2, "blkio") => Ok(Some("io".into())),
        (Version::V2, "cgroup" | "freezer" | "cpuacct" | "perf_event") => Ok(None),
        (Version::V1, "cgroup") | (Version::V2, "devices" | "net_cls" | "net_prio") => Err(()),
        (Version::V2, name) if name.starts_with("name=") => Err(()),
        (_, name) => Ok(Some(name.into())),
    }
}

fn no_controller(name: &str, version: Version) -> Failure {
    Failure::new(
        Step::Cgroup,
        format!("{} has no controller {name:?}", version.name()),
    )
    .errno(libc::ENOENT)
    .path(name)
}

/// The setting has no meaning on this host.
pub(super) fn no_counterpart(name: &str, version: Version) -> Failure {
    let message = format!(
        "cannot set {name:?}: {} has nothing like it",
        version.name()
    );
    Failure::new(Step::Cgroup, message)
        .errno(libc::ENOENT)
        .path(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(controllers: &[&str], settings: &[&str]) -> Request {
        Request {
            group: "x".into(),
            controllers: controllers.iter().map(ToString::to_string).collect(),
            settings: settings
                .iter()
                .map(|name| (name.to_string(), "1".into()))
                .collect(),
        }
    }

    fn needs(settings: &[&str], version: Version) -> Vec<String> {
        let needed = needed(&request(&[], settings), version);
        needed.expect("controllers").into_iter().collect()
    }

    #[test]
    fn either_name_needs_the_controller_of_the_host() {
        let both = [
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
        ];
        for (v1, v2, on_v1, on_v2) in both {
            for name in [v1, v2] {
                assert_eq!(needs(&[name], Version::V1), [on_v1], "{name}");
                assert_eq!(needs(&[name], Version::V2), [on_v2], "{name}");
            }
        }
        assert_eq!(needs(&["cgroup.freeze"], Version::V1), ["freezer"]);
        assert_eq!(
            needs(&["freezer.state", "cgroup.max.depth"], Version::V2),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn controllers_have_two_names_or_none() {
        let all = request(&["io", "cpu", "cpuacct", "freezer"], &[]);
        let names = |version| {
            needed(&all, version)
                .expect("controllers")
                .into_iter()
                .collect()
        };
        let (v1, v2): (Vec<String>, Vec<String>) = (names(Version::V1), names(Version::V2));
        assert_eq!(v1, ["blkio", "cpu", "cpuacct", "freezer"]);
        assert_eq!(v2, ["cpu", "io"]);
        let error = needed(&request(&["net_cls"], &[]), Version::V2).expect_err("none");
        assert_eq!(
            (error.path.to_str().unwrap_or_default(), error.errno),
            ("net_cls", libc::ENOENT)
        );
        let error = needed(&request(&[], &["devices.allow"]), Version::V2).expect_err("none");
        assert_eq!(
            error.message,
            "cannot set \"devices.allow\": cgroup v2 has nothing like it"
        );
        let error = needed(&request(&[], &["cgroup.max.depth"]), Version::V1).expect_err("none");
        assert!(error.message.contains("cgroup.max.depth"), "{error}");
    }

    #[test]
    fn keys_of_io_max() {
        assert_eq!(rate_file("rbps"), Some("blkio.throttle.read_bps_device"));
        assert_eq!(rate_file("wiops"), Some("blkio.throttle.write_iops_device"));
        assert_eq!(rate_file("xbps"), None);
    }
}
