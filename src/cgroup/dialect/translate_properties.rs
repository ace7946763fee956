// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Translating any setting and value.

use proptest::prelude::*;

use super::*;

fn other(version: Version) -> Version {
    match version {
        Version::V1 => Version::V2,
        Version::V2 => Version::V1,
    }
}

/// Any settings that both versions can express, and the version whose names they have.
fn any_settings() -> impl Strategy<Value = (Vec<Setting>, Version)> {
    let bytes = prop_oneof![
        Just("max".to_string()),
        (0_u64..1 << 50).prop_map(|n| n.to_string())
    ];
    let v2 = prop_oneof![
        bytes
            .clone()
            .prop_map(|value| vec![("memory.max".to_string(), value)]),
        bytes
            .clone()
            .prop_map(|value| vec![("memory.low".to_string(), value)]),
        bytes
            .clone()
            .prop_map(|value| vec![("hugetlb.1GB.max".to_string(), value)]),
        (0_u64..1 << 50, bytes).prop_map(|(limit, swap)| {
            vec![
                ("memory.max".into(), limit.to_string()),
                ("memory.swap.max".into(), swap),
            ]
        }),
        (1_u64..=10_000).prop_map(|weight| vec![("cpu.weight".into(), weight.to_string())]),
        (1000_u64..1 << 40, 1000_u64..1_000_000)
            .prop_map(|(quota, period)| vec![("cpu.max".into(), format!("{quota} {period}"))]),
        (1000_u64..1_000_000).prop_map(|period| vec![("cpu.max".into(), format!("max {period}"))]),
        (0_usize..4, 1_u64..1 << 60, 0_u32..256).prop_map(|(key, rate, disk)| {
            let key = ["rbps", "wbps", "riops", "wiops"][key];
            vec![("io.max".into(), format!("{disk}:0 {key}={rate}"))]
        }),
        (0_u8..=1).prop_map(|frozen| vec![("cgroup.freeze".into(), frozen.to_string())]),
        "[0-9,-]{0,6}".prop_map(|cpus| vec![("cpuset.cpus".into(), cpus)]),
    ];
    let v1 = prop_oneof![
        (10_u64..=1000).prop_map(|weight| vec![("blkio.weight".into(), weight.to_string())]),
        (0_u64..1 << 50, 0_u64..1 << 50).prop_map(|(limit, more)| {
            let both = (limit + more).to_string();
            vec![
                ("memory.limit_in_bytes".into(), limit.to_string()),
                ("memory.memsw.limit_in_bytes".into(), both),
            ]
        }),
        (1000_u64..1_000_000, 1000_u64..1 << 40).prop_map(|(period, quota)| {
            vec![
                ("cpu.cfs_period_us".into(), period.to_string()),
                ("cpu.cfs_quota_us".into(), quota.to_string()),
            ]
        }),
    ];
    prop_oneof![
        v2.prop_map(|s| (s, Version::V2)),
        v1.prop_map(|s| (s, Version::V1))
    ]
}

proptest! {
    #[test]
    fn translated_to_the_other_version_and_back((settings, version) in any_settings()) {
        let there = written(&settings, other(version));
        prop_assert_eq!(written(&there, version), settings);
    }

    #[test]
    fn no_value_makes_it_panic(row in 0..BOTH.len(), value in "\\PC{0,20}", v1: bool) {
        let (from_v1, from_v2) = BOTH[row];
        let version = if v1 { Version::V1 } else { Version::V2 };
        for (name, _) in from_v1.iter().chain(from_v2) {
            let _ = translate(&pairs(&[(name, &value)]), version, &|_| None);
        }
    }
}
