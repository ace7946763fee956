// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The one table of settings. A new setting is one row.
//!
//! Meanings are from the kernel: [v1](https://docs.kernel.org/admin-guide/cgroup-v1/) and
//! [v2](https://docs.kernel.org/admin-guide/cgroup-v2.html).

use std::borrow::Cow;

use super::version::Version;

/// How a value differs between the versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
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

use Conversion::{CpuWeight, Frozen, IoWeight, Limit, Period, Quota, Rate, Same, Swap};

struct Row {
    v2: &'static str,
    v1: &'static str,
    conversion: Conversion,
    /// Whether it is listed among the settings of a group, by its v2 name.
    is_listed: bool,
}

const fn setting(v2: &'static str, v1: &'static str, conversion: Conversion) -> Row {
    Row {
        v2,
        v1,
        conversion,
        is_listed: true,
    }
}

/// A setting that has the same name and meaning on both, or that only one has.
const fn same(name: &'static str) -> Row {
    setting(name, name, Same)
}

/// A name that is understood and not listed: a further v1 file of a setting, or a file without a
/// counterpart of its own.
const fn name(v2: &'static str, v1: &'static str, conversion: Conversion) -> Row {
    Row {
        is_listed: false,
        ..setting(v2, v1, conversion)
    }
}

/// Sorted by the v2 name. A file that has no row can be used by its name on hosts of its own version.
static ROWS: &[Row] = &[
    name("cgroup.freeze", "freezer.state", Frozen),
    same("cpu.idle"),
    setting("cpu.max", "cpu.cfs_quota_us", Quota),
    name("cpu.max", "cpu.cfs_period_us", Period),
    name("cpu.max.burst", "cpu.cfs_burst_us", Same),
    setting("cpu.weight", "cpu.shares", CpuWeight),
    same("cpuset.cpus"),
    same("cpuset.mems"),
    name("io.bfq.weight", "blkio.bfq.weight", Same),
    setting("io.max", RATES[0].1, Rate(RATES[0].0)),
    name("io.max", RATES[1].1, Rate(RATES[1].0)),
    name("io.max", RATES[2].1, Rate(RATES[2].0)),
    name("io.max", RATES[3].1, Rate(RATES[3].0)),
    setting("io.weight", "blkio.weight", IoWeight),
    name("io.weight", "blkio.weight_device", IoWeight),
    name("memory.current", "memory.usage_in_bytes", Same),
    same("memory.high"),
    setting("memory.low", "memory.soft_limit_in_bytes", Limit),
    setting("memory.max", "memory.limit_in_bytes", Limit),
    same("memory.min"),
    same("memory.oom.group"),
    name("memory.peak", "memory.max_usage_in_bytes", Same),
    setting("memory.swap.max", "memory.memsw.limit_in_bytes", Swap),
    same("pids.max"),
];

/// The keys of `io.max`, in the order in which the kernel shows them, and the v1 file of each.
pub(super) const RATES: [(&str, &str); 4] = [
    ("rbps", "blkio.throttle.read_bps_device"),
    ("wbps", "blkio.throttle.write_bps_device"),
    ("riops", "blkio.throttle.read_iops_device"),
    ("wiops", "blkio.throttle.write_iops_device"),
];

/// What the table says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// The version that has a file of this name; `None` when both have, or the table has no row.
    pub version: Option<Version>,
    /// Its file on v1. `cpu.max`, `io.max` and `io.weight` have several: this is the first.
    pub v1: Cow<'a, str>,
    /// Its file on v2.
    pub v2: Cow<'a, str>,
    pub conversion: Conversion,
}

impl Found<'_> {
    pub fn file(&self, version: Version) -> &str {
        match version {
            Version::V1 => &self.v1,
            Version::V2 => &self.v2,
        }
    }

    /// Whether a value for this name can be written to files of `version` as it is.
    pub fn is_of(&self, version: Version) -> bool {
        self.version.is_none_or(|own| own == version)
    }
}

pub(super) fn find(name: &str) -> Found<'_> {
    if let Some(found) = find_hugetlb(name) {
        return found;
    }
    let row = ROWS.iter().find(|row| [row.v1, row.v2].contains(&name));
    let Some(row) = row.filter(|row| row.v1 != row.v2) else {
        return Found {
            version: None,
            v1: name.into(),
            v2: name.into(),
            conversion: Conversion::Same,
        };
    };
    let is_v1 = row.v1 == name;
    Found {
        version: Some(if is_v1 { Version::V1 } else { Version::V2 }),
        v1: row.v1.into(),
        v2: row.v2.into(),
        conversion: row.conversion,
    }
}

/// `hugetlb.2MB.limit_in_bytes` is `hugetlb.2MB.max`, for every size of page, and `rsvd` too.
fn find_hugetlb(name: &str) -> Option<Found<'_>> {
    let (version, stem) = match name.strip_suffix(".limit_in_bytes") {
        Some(stem) => (Version::V1, stem),
        None => (Version::V2, name.strip_suffix(".max")?),
    };
    stem.starts_with("hugetlb.").then(|| Found {
        version: Some(version),
        v1: format!("{stem}.limit_in_bytes").into(),
        v2: format!("{stem}.max").into(),
        conversion: Conversion::Limit,
    })
}

/// The first file of a setting on this version.
pub(in crate::cgroup) fn file_on(version: Version, name: &str) -> Cow<'_, str> {
    let found = find(name);
    match version {
        Version::V1 => found.v1,
        Version::V2 => found.v2,
    }
}

/// Whether a setting has a file of another name where only the BFQ scheduler has weights.
pub(in crate::cgroup) fn has_several_files(name: &str) -> bool {
    find(name).conversion == Conversion::IoWeight
}

/// Whether this value of a setting, under its v2 name, means that nothing was set.
pub(in crate::cgroup) fn is_unset(version: Version, name: &str, value: &str) -> bool {
    // v1 shows a soft limit that was never set as unlimited. As a `memory.low` of v2, `max` would protect everything.
    version == Version::V1 && name == "memory.low" && value == "max"
}

/// The settings that a group may have, by their v2 names.
pub(in crate::cgroup) fn listed() -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter(|row| row.is_listed).map(|row| row.v2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_one_row() {
        let names: Vec<_> = ROWS.iter().map(|row| (row.v2, row.v1)).collect();
        assert!(names.is_sorted_by_key(|(v2, _)| v2));
        for (index, (v2, v1)) in names.iter().enumerate() {
            let others = || {
                names
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != index)
            };
            assert!(others().all(|(_, other)| other.1 != *v1), "{v1}");
            assert!(
                v1 == v2 || others().all(|(_, other)| other.1 != *v2),
                "{v2}"
            );
        }
    }

    #[test]
    fn settings_are_listed_once() {
        let listed: Vec<_> = listed().collect();
        assert!(listed.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn keys_of_io_max() {
        for (key, file) in RATES {
            let found = find(file);
            assert_eq!(
                (&*found.v2, found.conversion),
                ("io.max", Conversion::Rate(key))
            );
        }
        assert_eq!(file_on(Version::V1, "io.max"), RATES[0].1);
    }
}
