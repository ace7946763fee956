// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

use std::collections::HashMap;

use super::*;

/// The text of a group's files.
type Files = HashMap<&'static str, &'static str>;

fn pairs(settings: &[(&str, &str)]) -> Vec<Setting> {
    settings
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn written_with(settings: &[Setting], version: Version, files: &Files) -> Vec<Setting> {
    let writes = translate(settings, version, &|file| current(files, file)).expect("a translation");
    writes
        .into_iter()
        .map(|write| (write.file, write.value))
        .collect()
}

fn current(files: &Files, file: &str) -> Option<String> {
    files.get(file).map(ToString::to_string)
}

fn written(settings: &[Setting], version: Version) -> Vec<Setting> {
    written_with(settings, version, &Files::new())
}

fn refused(settings: &[(&str, &str)], version: Version) -> Mismatch {
    translate(&pairs(settings), version, &|_| None).expect_err("refused")
}

/// Settings of v1, and the same of v2.
type Both<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

const BOTH: [Both<'static>; 19] = [
    (
        &[("memory.limit_in_bytes", "268435456")],
        &[("memory.max", "268435456")],
    ),
    (
        &[("memory.limit_in_bytes", "256M")],
        &[("memory.max", "256M")],
    ),
    (&[("memory.limit_in_bytes", "-1")], &[("memory.max", "max")]),
    (
        &[("memory.soft_limit_in_bytes", "1024")],
        &[("memory.low", "1024")],
    ),
    (
        &[
            ("memory.limit_in_bytes", "100"),
            ("memory.memsw.limit_in_bytes", "130"),
        ],
        &[("memory.max", "100"), ("memory.swap.max", "30")],
    ),
    (
        &[
            ("memory.limit_in_bytes", "100"),
            ("memory.memsw.limit_in_bytes", "100"),
        ],
        &[("memory.max", "100"), ("memory.swap.max", "0")],
    ),
    (
        &[("memory.memsw.limit_in_bytes", "-1")],
        &[("memory.swap.max", "max")],
    ),
    (&[("cpu.shares", "1024")], &[("cpu.weight", "100")]),
    (
        &[
            ("cpu.cfs_period_us", "100000"),
            ("cpu.cfs_quota_us", "50000"),
        ],
        &[("cpu.max", "50000 100000")],
    ),
    (&[("cpu.cfs_quota_us", "-1")], &[("cpu.max", "max")]),
    (
        &[("cpu.cfs_burst_us", "1000")],
        &[("cpu.max.burst", "1000")],
    ),
    (&[("blkio.weight", "500")], &[("io.weight", "4950")]),
    (
        &[("blkio.weight_device", "8:0 10")],
        &[("io.weight", "8:0 1")],
    ),
    (
        &[("blkio.throttle.read_bps_device", "8:0 1048576")],
        &[("io.max", "8:0 rbps=1048576")],
    ),
    (
        &[("blkio.throttle.write_iops_device", "8:0 0")],
        &[("io.max", "8:0 wiops=max")],
    ),
    (
        &[("hugetlb.2MB.limit_in_bytes", "-1")],
        &[("hugetlb.2MB.max", "max")],
    ),
    (&[("freezer.state", "FROZEN")], &[("cgroup.freeze", "1")]),
    (&[("freezer.state", "THAWED")], &[("cgroup.freeze", "0")]),
    (
        &[
            ("cpuset.cpus", "0-1"),
            ("cpuset.mems", "0"),
            ("pids.max", "max"),
            ("cpu.idle", "1"),
        ],
        &[
            ("cpuset.cpus", "0-1"),
            ("cpuset.mems", "0"),
            ("pids.max", "max"),
            ("cpu.idle", "1"),
        ],
    ),
];

#[test]
fn names_of_both_versions_give_the_same_files_and_values() {
    for (v1, v2) in BOTH {
        let (v1, v2) = (pairs(v1), pairs(v2));
        for given in [&v1, &v2] {
            assert_eq!(written(given, Version::V1), v1, "{given:?} on v1");
            assert_eq!(written(given, Version::V2), v2, "{given:?} on v2");
        }
    }
}

#[test]
fn values_of_the_same_version_are_not_checked() {
    for (name, version) in [
        ("memory.max", Version::V2),
        ("memory.limit_in_bytes", Version::V1),
        ("cpu.weight", Version::V2),
        ("cpu.shares", Version::V1),
        ("cpu.max", Version::V2),
        ("io.weight", Version::V2),
        ("io.max", Version::V2),
        ("blkio.throttle.read_bps_device", Version::V1),
        ("memory.swap.max", Version::V2),
        ("cgroup.freeze", Version::V2),
        ("pids.max", Version::V1),
        ("memory.high", Version::V1),
    ] {
        let given = pairs(&[(name, "abc")]);
        assert_eq!(written(&given, version), given, "{name}");
    }
}

#[test]
fn values_that_cannot_be_translated() {
    let cases = [
        ("cpu.shares", "abc", Version::V2, libc::EINVAL, "cpu.weight"),
        ("cpu.weight", "0", Version::V1, libc::ERANGE, "cpu.shares"),
        (
            "cpu.weight",
            "10001",
            Version::V1,
            libc::ERANGE,
            "cpu.shares",
        ),
        ("cpu.weight", "+5", Version::V1, libc::EINVAL, "cpu.shares"),
        (
            "cpu.max",
            "1 2 3",
            Version::V1,
            libc::EINVAL,
            "cpu.cfs_quota_us",
        ),
        ("blkio.weight", "9", Version::V2, libc::EINVAL, "io.weight"),
        (
            "io.max",
            "8:0",
            Version::V1,
            libc::EINVAL,
            "blkio.throttle.read_bps_device",
        ),
        (
            "io.max",
            "8:0 xbps=1",
            Version::V1,
            libc::EINVAL,
            "blkio.throttle.read_bps_device",
        ),
        (
            "io.max",
            "8:0 rbps=0",
            Version::V1,
            libc::EINVAL,
            "blkio.throttle.read_bps_device",
        ),
        (
            "blkio.throttle.read_bps_device",
            "8:0",
            Version::V2,
            libc::EINVAL,
            "io.max",
        ),
        (
            "cgroup.freeze",
            "2",
            Version::V1,
            libc::EINVAL,
            "freezer.state",
        ),
        (
            "memory.memsw.limit_in_bytes",
            "x",
            Version::V2,
            libc::EINVAL,
            "memory.swap.max",
        ),
        (
            "memory.memsw.limit_in_bytes",
            "9",
            Version::V2,
            libc::EINVAL,
            "memory.swap.max",
        ),
        (
            "memory.swap.max",
            "9",
            Version::V1,
            libc::EINVAL,
            "memory.memsw.limit_in_bytes",
        ),
    ];
    for (name, value, version, errno, file) in cases {
        let Mismatch::Value {
            setting,
            value: refused,
            file: found,
            errno: number,
            ..
        } = refused(&[(name, value)], version)
        else {
            panic!("{name} {value:?} is a value")
        };
        assert_eq!((&*setting, &*refused), (name, value));
        assert_eq!((&*found, number), (file, errno), "{name} {value}");
    }
    let less = [
        ("memory.limit_in_bytes", "10"),
        ("memory.memsw.limit_in_bytes", "9"),
    ];
    let setting = "memory.memsw.limit_in_bytes";
    let expected =
        matches!(refused(&less, Version::V2), Mismatch::Value { setting: s, .. } if s == setting);
    assert!(expected);
}

#[test]
fn current_values_complete_a_translation() {
    let v2 = Files::from([("cpu.max", "20000 100000"), ("memory.max", "100")]);
    let period = pairs(&[("cpu.cfs_period_us", "50000")]);
    assert_eq!(
        written_with(&period, Version::V2, &v2),
        pairs(&[("cpu.max", "20000 50000")])
    );
    assert_eq!(
        written(&period, Version::V2),
        pairs(&[("cpu.max", "max 50000")])
    );
    let both = pairs(&[("memory.memsw.limit_in_bytes", "150")]);
    assert_eq!(
        written_with(&both, Version::V2, &v2),
        pairs(&[("memory.swap.max", "50")])
    );
    let v1 = Files::from([("memory.limit_in_bytes", "100")]);
    let swap = pairs(&[("memory.swap.max", "50")]);
    let expected = pairs(&[("memory.memsw.limit_in_bytes", "150")]);
    assert_eq!(written_with(&swap, Version::V1, &v1), expected);
}

#[test]
fn the_order_is_one_that_the_kernel_accepts() {
    let given = pairs(&[
        ("memory.swap.max", "50"),
        ("cpu.cfs_quota_us", "5000"),
        ("pids.max", "9"),
        ("memory.max", "100"),
        ("cpu.cfs_period_us", "10000"),
    ]);
    let fresh = pairs(&[
        ("pids.max", "9"),
        ("cpu.cfs_period_us", "10000"),
        ("cpu.cfs_quota_us", "5000"),
        ("memory.limit_in_bytes", "100"),
        ("memory.memsw.limit_in_bytes", "150"),
    ]);
    assert_eq!(written(&given, Version::V1), fresh);
    let used = Files::from([
        ("cpu.cfs_quota_us", "20000"),
        ("memory.memsw.limit_in_bytes", "80"),
    ]);
    let careful = pairs(&[
        ("pids.max", "9"),
        ("cpu.cfs_quota_us", "-1"),
        ("cpu.cfs_period_us", "10000"),
        ("cpu.cfs_quota_us", "5000"),
        ("memory.memsw.limit_in_bytes", "150"),
        ("memory.limit_in_bytes", "100"),
    ]);
    assert_eq!(written_with(&given, Version::V1, &used), careful);
}

#[test]
fn a_burst_is_never_above_the_quota() {
    let given = pairs(&[("cpu.max.burst", "20000"), ("cpu.max", "50000")]);
    let used = Files::from([("cpu.max.burst", "9000"), ("cpu.cfs_burst_us", "9000")]);
    let v2 = [("cpu.max", "50000"), ("cpu.max.burst", "20000")];
    let v1 = [("cpu.cfs_quota_us", "50000"), ("cpu.cfs_burst_us", "20000")];
    assert_eq!(written(&given, Version::V2), pairs(&v2));
    assert_eq!(written(&given, Version::V1), pairs(&v1));
    let careful = written_with(&given, Version::V1, &used);
    assert_eq!(careful[0], pairs(&[("cpu.cfs_burst_us", "0")])[0]);
    assert_eq!(careful[1..], pairs(&v1));
}

#[test]
fn the_last_of_several_values_counts() {
    let given = pairs(&[("cpu.max", "10000 50000"), ("cpu.cfs_quota_us", "20000")]);
    assert_eq!(
        written(&given, Version::V2),
        pairs(&[("cpu.max", "20000 50000")])
    );
    let given = pairs(&[("memory.max", "1"), ("memory.limit_in_bytes", "2")]);
    assert_eq!(written(&given, Version::V2), pairs(&[("memory.max", "2")]));
}

#[test]
fn fallback_to_weights_of_the_bfq_scheduler() {
    let writes = |given: &[(&str, &str)], version| {
        let writes = translate(&pairs(given), version, &|_| None).expect("a translation");
        writes[0].fallback.clone().expect("another file")
    };
    let bfq = |file: &str, value: &str| (file.to_string(), value.to_string());
    assert_eq!(
        writes(&[("io.weight", "4950")], Version::V1),
        bfq("blkio.bfq.weight", "500")
    );
    assert_eq!(
        writes(&[("blkio.weight", "500")], Version::V1),
        bfq("blkio.bfq.weight", "500")
    );
    assert_eq!(
        writes(&[("io.weight", "4950")], Version::V2),
        bfq("io.bfq.weight", "500")
    );
    assert_eq!(
        writes(&[("blkio.weight", "500")], Version::V2),
        bfq("io.bfq.weight", "500")
    );
    assert_eq!(
        writes(&[("io.weight", "default 1")], Version::V2),
        bfq("io.bfq.weight", "10")
    );
    let device = writes(&[("io.weight", "8:0 1")], Version::V1);
    assert_eq!(device, bfq("blkio.bfq.weight_device", "8:0 10"));
}

#[test]
fn all_keys_of_io_max() {
    let given = pairs(&[("io.max", "8:0 rbps=1 wbps=2 riops=max wiops=4")]);
    let expected = pairs(&[
        ("blkio.throttle.read_bps_device", "8:0 1"),
        ("blkio.throttle.write_bps_device", "8:0 2"),
        ("blkio.throttle.read_iops_device", "8:0 0"),
        ("blkio.throttle.write_iops_device", "8:0 4"),
    ]);
    assert_eq!(written(&given, Version::V1), expected);
}

#[path = "translate_properties.rs"]
mod properties;
