// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::cgroup::host::Hierarchy;

/// Hierarchies made of ordinary directories, and a group with files in some of them.
struct Hierarchies {
    root: tempfile::TempDir,
    host: Host,
}

impl Hierarchies {
    fn new(hierarchies: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let hierarchies = hierarchies.iter().map(|names| Hierarchy {
            version: if names.is_empty() {
                Version::V2
            } else {
                Version::V1
            },
            controllers: names
                .split(',')
                .filter(|name| !name.is_empty())
                .map(String::from)
                .collect(),
            available: vec![],
            mount_point: mount_point(root.path(), names),
            mount_root: "/".into(),
            own_path: "/".into(),
            read_only: false,
        });
        let hierarchies = hierarchies.collect();
        Self {
            host: Host { hierarchies },
            root,
        }
    }

    fn file(self, hierarchy: &str, file: &str, text: &str) -> Self {
        let group = mount_point(self.root.path(), hierarchy).join("g");
        fs::create_dir_all(&group).expect("group");
        fs::write(group.join(file), text).expect("file");
        self
    }

    fn open(&self) -> LiveCgroup {
        LiveCgroup::open(&self.host, "g").expect("a group")
    }

    fn text(&self, hierarchy: &str, file: &str) -> String {
        let group = mount_point(self.root.path(), hierarchy).join("g");
        fs::read_to_string(group.join(file)).expect("file")
    }
}

fn mount_point(root: &Path, hierarchy: &str) -> PathBuf {
    root.join(if hierarchy.is_empty() {
        "unified"
    } else {
        hierarchy
    })
}

fn value(fake: &Hierarchies, name: &str) -> String {
    fake.open().get(None, name).expect(name)
}

#[test]
fn a_missing_group() {
    let fake = Hierarchies::new(&["memory", ""]);
    let error = LiveCgroup::open(&fake.host, "g").expect_err("nothing");
    assert_eq!(error.errno(), libc::ENOENT);
    assert!(error.path().ends_with("memory/g"), "{error:?}");
    let error = LiveCgroup::open(&Host::default(), "g").expect_err("nothing");
    assert_eq!(error, Error::NoHierarchy);
    let error = LiveCgroup::open(&fake.host, "../g").expect_err("nothing");
    assert_eq!(error.errno(), libc::EINVAL);
}

#[test]
fn files_are_found_in_the_hierarchy_of_their_controller() {
    let fake = Hierarchies::new(&["memory", "cpu,cpuacct", ""])
        .file("memory", "memory.limit_in_bytes", "4096\n")
        .file("memory", "cgroup.procs", "1\n")
        .file("cpu,cpuacct", "cpuacct.usage", "5000\n")
        .file("cpu,cpuacct", "cgroup.procs", "2\n")
        .file("", "cgroup.freeze", "0\n");
    assert_eq!(value(&fake, "memory.max"), "4096");
    assert_eq!(value(&fake, "cpuacct.usage"), "5000");
    assert_eq!(value(&fake, "freezer.state"), "THAWED");
    let cgroup = fake.open();
    let procs = |controller| cgroup.get(Some(controller), "cgroup.procs").expect("procs");
    assert_eq!((procs("memory"), procs("cpu")), ("1".into(), "2".into()));
}

#[test]
fn missing_files_and_invalid_names() {
    let fake = Hierarchies::new(&["memory", "pids"]).file("memory", "memory.failcnt", "0\n");
    for name in ["pids.max", "memory.high", "no.such", "nothing"] {
        let error = fake.open().get(None, name).expect_err(name);
        assert_eq!(error.errno(), libc::ENOENT, "{name}");
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    for name in [
        "",
        ".",
        "..",
        "/",
        "a/b",
        "../g/memory.failcnt",
        "a\0",
        "memory.failcnt/",
    ] {
        let error = fake.open().get(None, name).expect_err(name);
        assert_eq!(error.errno(), libc::EINVAL, "{name:?}");
    }
}

#[test]
fn settings_are_written_to_the_hierarchy_of_their_controller() {
    let fake = Hierarchies::new(&["memory", "pids", ""])
        .file("memory", "memory.limit_in_bytes", "")
        .file("", "cgroup.freeze", "");
    let set = |name: &str, value: &str| fake.open().set(vec![(name.into(), value.into())]);
    set("memory.max", "8192").expect("memory.max");
    assert_eq!(fake.text("memory", "memory.limit_in_bytes"), "8192");
    set("freezer.state", "FROZEN").expect("freezer.state");
    assert_eq!(fake.text("", "cgroup.freeze"), "1");
    let error = set("pids.max", "1").expect_err("no group for pids");
    assert_eq!(error.errno(), libc::ENOENT);
    let error = set("cgroup.procs", "1").expect_err("not a setting");
    assert_eq!(error.errno(), libc::EINVAL);
}

#[test]
fn statistics_of_v1_have_names_and_units_of_v2() {
    let fake = Hierarchies::new(&["memory", "cpu", "cpuacct", "blkio", "freezer"])
        .file("memory", "memory.usage_in_bytes", "1000\n")
        .file("memory", "memory.max_usage_in_bytes", "2000\n")
        .file("memory", "memory.memsw.usage_in_bytes", "1500\n")
        .file("memory", "memory.failcnt", "3\n")
        .file(
            "memory",
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        )
        .file(
            "cpu",
            "cpu.stat",
            "nr_periods 4\nnr_throttled 5\nthrottled_time 6000\n",
        )
        .file("cpuacct", "cpuacct.usage", "7000\n")
        .file("cpuacct", "cpuacct.usage_user", "4000\n")
        .file("cpuacct", "cpuacct.usage_sys", "3000\n")
        .file(
            "blkio",
            "blkio.throttle.io_service_bytes_recursive",
            "8:0 Read 10\n8:0 Write 20\n8:0 Sync 5\n8:0 Discard 1\n8:0 Total 31\nTotal 31\n",
        )
        .file(
            "blkio",
            "blkio.throttle.io_serviced_recursive",
            "8:0 Read 1\n8:0 Write 2\nTotal 3\n",
        )
        .file("freezer", "freezer.state", "FROZEN\n")
        .file("freezer", "cgroup.procs", "77\n");
    let statistics = fake.open().statistics();
    let expected = [
        ("cgroup.events", "populated 1\nfrozen 1"),
        ("cgroup.stat", "nr_descendants 0"),
        (
            "cpu.stat",
            "usage_usec 7\nuser_usec 4\nsystem_usec 3\nnr_periods 4\nnr_throttled 5\nthrottled_usec 6",
        ),
        ("io.stat", "8:0 rbytes=10 wbytes=20 dbytes=1 rios=1 wios=2"),
        ("memory.current", "1000"),
        ("memory.events", "max 3\noom_kill 2"),
        ("memory.peak", "2000"),
        ("memory.swap.current", "500"),
    ];
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(name, text)| (name.to_string(), text.to_string()))
        .collect();
    assert_eq!(statistics, expected);
}

#[test]
fn on_a_hybrid_host_statistics_come_from_both_versions() {
    let fake = Hierarchies::new(&["cpu", ""])
        .file(
            "cpu",
            "cpu.stat",
            "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n",
        )
        .file("cpu", "cpu.shares", "1024\n")
        .file("", "cpu.stat", "usage_usec 9\nuser_usec 5\nsystem_usec 4\n")
        .file(
            "",
            "cpu.pressure",
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        )
        .file("", "cgroup.events", "populated 0\nfrozen 0\n");
    assert_eq!(
        value(&fake, "cpu.stat"),
        "usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 1\nnr_throttled 0\nthrottled_usec 0"
    );
    assert!(value(&fake, "cpu.pressure").starts_with("some "));
    assert_eq!(value(&fake, "cgroup.events"), "populated 0\nfrozen 0");
    assert_eq!(
        fake.open().settings(),
        [("cpu.weight".into(), "100".into())]
    );
}
