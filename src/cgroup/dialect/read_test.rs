// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::translate::translate;
use super::*;

/// The files of a group in memory. Like the kernel, it shows what was written in its own format.
#[derive(Default)]
struct Kernel(RefCell<BTreeMap<String, String>>);

impl Kernel {
    fn with(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string()));
        Self(RefCell::new(files.collect()))
    }

    fn read(&self, file: &str) -> Result<String> {
        let text = self.0.borrow().get(file).cloned();
        text.ok_or(ReadError::Missing)
    }

    fn set(&self, version: Version, name: &str, value: &str) {
        let settings = [(name.to_string(), value.to_string())];
        for write in
            translate(&settings, version, &|file| self.read(file).ok()).expect("a translation")
        {
            let text = shown(&write.file, &write.value);
            self.0.borrow_mut().insert(write.file, text);
        }
    }

    fn get(&self, version: Version, name: &str) -> String {
        read(name, version, &|file| self.read(file)).expect(name)
    }
}

/// How the kernel shows what was written.
fn shown(file: &str, value: &str) -> String {
    match file {
        "cpu.max" if !value.contains(' ') => format!("{value} 100000"),
        "io.weight" if !value.contains(' ') => format!("default {value}"),
        file if file.ends_with("limit_in_bytes") && value == "-1" => NO_LIMIT.into(),
        _ => value.into(),
    }
}

fn v1() -> Kernel {
    Kernel::with(&[
        ("memory.limit_in_bytes", NO_LIMIT),
        ("memory.soft_limit_in_bytes", NO_LIMIT),
        ("memory.memsw.limit_in_bytes", NO_LIMIT),
        ("memory.usage_in_bytes", "4096"),
        ("memory.max_usage_in_bytes", "8192"),
        ("cpu.shares", "1024"),
        ("cpu.cfs_quota_us", "-1"),
        ("cpu.cfs_period_us", "100000"),
        ("blkio.weight", "500"),
        ("blkio.weight_device", "8:16 1000"),
        ("blkio.throttle.read_bps_device", "8:0 1048576\n8:16 1"),
        ("blkio.throttle.write_bps_device", ""),
        ("blkio.throttle.read_iops_device", ""),
        ("blkio.throttle.write_iops_device", "8:16 7"),
        ("freezer.state", "THAWED"),
        ("hugetlb.2MB.limit_in_bytes", NO_LIMIT),
        ("pids.max", "max"),
    ])
}

fn v2() -> Kernel {
    Kernel::with(&[
        ("memory.max", "max"),
        ("memory.low", "0"),
        ("memory.swap.max", "max"),
        ("memory.current", "4096"),
        ("memory.peak", "8192"),
        ("cpu.weight", "100"),
        ("cpu.max", "max 100000"),
        ("io.weight", "default 4950\n8:16 10000"),
        ("io.max", "8:0 rbps=1048576 wbps=max riops=max wiops=max"),
        ("cgroup.freeze", "0"),
        ("hugetlb.2MB.max", "max"),
        ("pids.max", "max"),
    ])
}

#[test]
fn reading_by_names_of_the_other_version() {
    let on_v1 = [
        ("memory.max", "max"),
        ("memory.low", "max"),
        ("memory.swap.max", "max"),
        ("memory.current", "4096"),
        ("memory.peak", "8192"),
        ("cpu.weight", "100"),
        ("cpu.max", "max 100000"),
        ("io.weight", "default 4950\n8:16 10000"),
        (
            "io.max",
            "8:0 rbps=1048576 wbps=max riops=max wiops=max\n8:16 rbps=1 wbps=max riops=max wiops=7",
        ),
        ("cgroup.freeze", "0"),
        ("hugetlb.2MB.max", "max"),
        ("pids.max", "max"),
    ];
    for (name, value) in on_v1 {
        assert_eq!(v1().get(Version::V1, name), value, "{name}");
    }
    let on_v2 = [
        ("memory.limit_in_bytes", NO_LIMIT),
        ("memory.soft_limit_in_bytes", "0"),
        ("memory.memsw.limit_in_bytes", NO_LIMIT),
        ("memory.usage_in_bytes", "4096"),
        ("memory.max_usage_in_bytes", "8192"),
        ("cpu.shares", "1024"),
        ("cpu.cfs_quota_us", "-1"),
        ("cpu.cfs_period_us", "100000"),
        ("blkio.weight", "500"),
        ("blkio.weight_device", "8:16 1000"),
        ("blkio.throttle.read_bps_device", "8:0 1048576"),
        ("blkio.throttle.write_bps_device", ""),
        ("freezer.state", "THAWED"),
        ("hugetlb.2MB.limit_in_bytes", NO_LIMIT),
        ("pids.max", "max"),
    ];
    for (name, value) in on_v2 {
        assert_eq!(v2().get(Version::V2, name), value, "{name}");
    }
}

#[test]
fn reading_by_names_of_the_same_version() {
    for (kernel, version) in [(v1(), Version::V1), (v2(), Version::V2)] {
        let files = kernel.0.borrow().clone();
        for (name, text) in files {
            let expected = match name.as_str() {
                // Its other lines are for devices.
                "io.weight" => "default 4950\n8:16 10000",
                _ => &text,
            };
            assert_eq!(kernel.get(version, &name), expected, "{name}");
        }
    }
}

#[test]
fn reading_missing_files() {
    let none = Kernel::default();
    for name in [
        "memory.max",
        "memory.limit_in_bytes",
        "io.max",
        "io.weight",
        "cpu.max",
        "x.y",
    ] {
        for version in [Version::V1, Version::V2] {
            let error = read(name, version, &|file| none.read(file)).expect_err(name);
            assert_eq!(error, ReadError::Missing, "{name}");
        }
    }
}

#[test]
fn weights_of_the_bfq_scheduler() {
    let v1 = Kernel::with(&[
        ("blkio.bfq.weight", "100"),
        ("blkio.bfq.weight_device", "default 100\n8:0 200"),
    ]);
    assert_eq!(v1.get(Version::V1, "blkio.weight"), "100");
    assert_eq!(v1.get(Version::V1, "blkio.weight_device"), "8:0 200");
    assert_eq!(v1.get(Version::V1, "io.weight"), "default 910\n8:0 1920");
    let v2 = Kernel::with(&[("io.bfq.weight", "default 100\n8:0 200")]);
    assert_eq!(v2.get(Version::V2, "blkio.weight"), "100");
    assert_eq!(v2.get(Version::V2, "io.weight"), "default 910\n8:0 1920");
}

#[test]
fn v1_counts_memory_and_swap_together() {
    let v1 = v1();
    v1.set(Version::V1, "memory.max", "1000");
    v1.set(Version::V1, "memory.swap.max", "500");
    assert_eq!(v1.get(Version::V1, "memory.memsw.limit_in_bytes"), "1500");
    assert_eq!(v1.get(Version::V1, "memory.swap.max"), "500");
    let v2 = v2();
    v2.set(Version::V2, "memory.limit_in_bytes", "1000");
    v2.set(Version::V2, "memory.memsw.limit_in_bytes", "1500");
    assert_eq!(v2.get(Version::V2, "memory.swap.max"), "500");
    assert_eq!(v2.get(Version::V2, "memory.memsw.limit_in_bytes"), "1500");
}

/// Writes by a name of either version on either kind of host, and reads it back.
fn comes_back(name: &str, value: &str) -> std::result::Result<(), TestCaseError> {
    for (kernel, version) in [(v1(), Version::V1), (v2(), Version::V2)] {
        kernel.set(version, name, value);
        prop_assert_eq!(
            kernel.get(version, name),
            value,
            "{} on {:?}",
            name,
            version
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn limits_come_back(bytes in 0_u64..1 << 60) {
        for name in ["memory.max", "memory.limit_in_bytes", "memory.low", "hugetlb.2MB.max",
            "memory.soft_limit_in_bytes", "hugetlb.2MB.limit_in_bytes", "pids.max"] {
            comes_back(name, &bytes.to_string())?;
        }
    }

    #[test]
    fn cpu_limits_come_back(quota in 1000_u64..1 << 40, period in 1000_u64..1_000_000) {
        comes_back("cpu.max", &format!("{quota} {period}"))?;
        comes_back("cpu.max", &format!("max {period}"))?;
        comes_back("cpu.cfs_quota_us", &quota.to_string())?;
        comes_back("cpu.cfs_period_us", &period.to_string())?;
    }

    #[test]
    fn weights_come_back(weight in 1_u64..=10_000, blkio in 10_u64..=1000) {
        comes_back("cpu.weight", &weight.to_string())?;
        comes_back("blkio.weight", &blkio.to_string())?;
    }

    #[test]
    fn rates_come_back(read in 1_u64..1 << 50, write in 1_u64..1 << 30) {
        let value = format!("8:32 rbps={read} wbps=max riops=max wiops={write}");
        for (kernel, version) in [(v1(), Version::V1), (v2(), Version::V2)] {
            kernel.set(version, "io.max", &value);
            let text = kernel.get(version, "io.max");
            let mut lines = text.lines().filter(|line| line.starts_with("8:32 "));
            let expected = match version {
                // The files of this kernel have one line each, so those of other devices are gone.
                Version::V1 => lines.next().map(|line| line.contains(&format!("rbps={read} "))),
                Version::V2 => lines.next().map(|line| line == value),
            };
            prop_assert_eq!(expected, Some(true), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,24}") {
        let files: Vec<(&str, &str)> = FILES.iter().map(|file| (*file, text.as_str())).collect();
        let kernel = Kernel::with(&files);
        for version in [Version::V1, Version::V2] {
            for name in FILES {
                let _ = read(name, version, &|file| kernel.read(file));
            }
        }
    }
}

const FILES: [&str; 14] = [
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.max",
    "memory.swap.max",
    "cpu.shares",
    "cpu.weight",
    "cpu.max",
    "cpu.cfs_quota_us",
    "blkio.weight",
    "blkio.throttle.read_bps_device",
    "io.weight",
    "io.max",
    "freezer.state",
    "cgroup.freeze",
];
