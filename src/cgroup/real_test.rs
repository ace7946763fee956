// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Real groups with real processes, on any kind of host.

use std::fs;
use std::path::Path;

use super::clean::{CleanReport, clean};
use super::dialect::Version;
use super::error::Error;
use super::host::Host;
use super::live::LiveCgroup;
use super::plan::Plan;
use super::request::Request;
use super::settings::owner;
use super::test_support::*;

#[test]
#[ignore = "needs cgroups"]
fn out_of_memory_kills_and_peak_memory() {
    let settings = [("memory.max", "32M"), ("memory.swap.max", "0")];
    let cgroup = create(&request(&unique(), &settings)).expect("a group");
    assert_eq!(cgroup.oom_kills(), 0);
    let mut child = spawn(&cgroup, "exec perl -e '$x = \"x\" x 1e8; sleep 1000'");
    assert!(!child.wait().expect("wait").success());
    assert_eq!(cgroup.oom_kills(), 1);
    let peak = cgroup.peak_memory().expect("a peak");
    assert!((16 << 20..=32 << 20).contains(&peak), "{peak}");
    // A second run in the same group starts counting at 0.
    let name = cgroup.directories()[0]
        .1
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    drop(cgroup);
    let mut cgroup = create(&request(&name, &settings)).expect("the same group");
    assert_eq!(cgroup.oom_kills(), 0);
    let again = cgroup.peak_memory().expect("a peak");
    assert!(again < peak, "{again} of {peak}");
    finish(&mut cgroup);
}

#[test]
#[ignore = "needs cgroups"]
fn names_of_both_versions_write_the_same_values() {
    let both: [(&[_], &[_]); 5] = [
        (
            &[("memory.limit_in_bytes", "67108864")],
            &[("memory.max", "64M")],
        ),
        (
            &[("memory.soft_limit_in_bytes", "1048576")],
            &[("memory.low", "1M")],
        ),
        (
            // The end of both scales.
            &[("cpu.shares", "262144")],
            &[("cpu.weight", "10000")],
        ),
        (
            &[
                ("cpu.cfs_quota_us", "50000"),
                ("cpu.cfs_period_us", "200000"),
            ],
            &[("cpu.max", "50000 200000")],
        ),
        (&[("pids.max", "77")], &[("pids.max", "77")]),
    ];
    let files = [
        "memory.limit_in_bytes",
        "memory.max",
        "memory.soft_limit_in_bytes",
        "memory.low",
        "cpu.shares",
        "cpu.weight",
        "cpu.cfs_quota_us",
        "cpu.cfs_period_us",
        "cpu.max",
        "pids.max",
    ];
    for (v1, v2) in both {
        let values = |settings| {
            let mut cgroup = create(&request(&unique(), settings)).expect("a group");
            let group = |file| owner(&cgroup.groups, cgroup.version, file);
            let texts = files.map(|file| group(file)?.read(file).ok());
            finish(&mut cgroup);
            texts
        };
        let (left, right) = (values(v1), values(v2));
        assert_eq!(left, right, "{v1:?}");
        assert!(left.iter().any(Option::is_some));
    }
}

#[test]
#[ignore = "needs cgroups"]
fn a_refused_value_is_named_and_nothing_is_left() {
    let base = unique();
    let group = format!("/{base}/x");
    for (name, value, errno) in [
        ("memory.max", "abc", libc::EINVAL),
        ("memory.limit_in_bytes", "abc", libc::EINVAL),
        ("pids.max", "many", libc::EINVAL),
        ("cpu.weight", "0", libc::ERANGE),
        ("cpu.max", "1 1", libc::EINVAL),
        ("memory.nonsense", "1", libc::ENOENT),
        ("nonsense.max", "1", libc::ENOENT),
    ] {
        let error = create(&request(&group, &[(name, value)])).expect_err(name);
        assert_eq!(error.errno(), errno, "{error}");
        let about = error.to_string().contains(value) || error.to_string().contains(name);
        assert!(about || error.to_string().contains("nonsense"), "{error}");
        assert!(!error.path().as_os_str().is_empty());
        for hierarchy in host().hierarchies {
            assert!(!hierarchy.directory(&base).exists(), "{error}");
        }
    }
}

#[test]
#[ignore = "needs cgroups"]
fn containment_alone() {
    let base = unique();
    let mut cgroup = create(&request(&format!("{base}/x"), &[])).expect("a group");
    assert_eq!(cgroup.directories().len(), 1);
    assert_eq!(cgroup.entries().count(), 1);
    let mut child = spawn(&cgroup, "exec sleep 1000");
    until("it is there", || count(&cgroup) == 1);
    assert_eq!((cgroup.oom_kills(), cgroup.peak_memory()), (0, None));
    let parent = cgroup.directories()[0]
        .1
        .parent()
        .expect("a parent")
        .to_path_buf();
    finish(&mut cgroup);
    child.wait().expect("wait");
    assert!(parent.is_dir(), "groups above it stay");
    fs::remove_dir(parent).expect("remove");
}

#[test]
#[ignore = "needs cgroups"]
fn a_group_that_exists_is_emptied_first() {
    let name = unique();
    let settings = [("pids.max", "50"), ("memory.max", "64M")];
    let first = create(&request(&name, &settings)).expect("a group");
    let mut child = spawn(&first, "sleep 1000 & exec sleep 1000");
    until("both are there", || count(&first) == 2);
    for (_, directory) in first.directories() {
        fs::create_dir(directory.join("sub")).expect("a group of the program's own");
    }
    drop(first);
    let mut second = create(&request(&name, &settings[..1])).expect("taken over");
    assert_eq!(second.killed(), 2);
    assert_eq!(read(&second, "pids.max"), "50");
    child.wait().expect("wait");
    for (_, directory) in second.directories() {
        assert!(!directory.join("sub").exists());
    }
    finish(&mut second);
    // The second did not use the hierarchy of memory, so its directory is still there.
    let left = clean(&host(), &request(&name, &settings), TIMEOUT).expect("clean");
    assert!(left.removed);
}

#[test]
#[ignore = "needs cgroups"]
fn cleaning_a_group_that_nobody_uses() {
    let request = request(&unique(), &[("pids.max", "50")]);
    let nothing = clean(&host(), &request, TIMEOUT).expect("nothing to do");
    assert_eq!(
        nothing,
        CleanReport {
            removed: true,
            ..CleanReport::default()
        }
    );
    let cgroup = create(&request).expect("a group");
    let mut child = spawn(&cgroup, "sleep 1000 & exec sleep 1000");
    until("both are there", || count(&cgroup) == 2);
    let report = clean(&host(), &request, TIMEOUT).expect("nothing is done");
    let busy = report.in_use.expect("it is in use");
    assert!(matches!(busy, Error::InUse { .. }), "{busy}");
    assert!(!report.removed);
    assert_eq!(count(&cgroup), 2);
    let directories = cgroup.directories();
    drop(cgroup);
    let report = clean(&host(), &request, TIMEOUT).expect("clean");
    assert_eq!(
        report,
        CleanReport {
            existed: true,
            killed: 2,
            removed: true,
            ..CleanReport::default()
        }
    );
    for (_, directory) in directories {
        assert!(!directory.exists());
    }
    child.wait().expect("wait");
}

fn set(request: &Request) -> Result<(), Error> {
    LiveCgroup::open(&host(), &request.group)?.set(request.settings.clone())
}

#[test]
#[ignore = "needs cgroups"]
fn settings_of_a_running_program() {
    let mut wanted = request(
        &unique(),
        &[("pids.max", "50"), ("cpu.max", "20000 100000")],
    );
    let missing = set(&wanted).expect_err("no group yet");
    assert!(matches!(missing, Error::NoGroup { .. }), "{missing}");
    let mut cgroup = create(&wanted).expect("a group");
    wanted.settings = vec![
        ("cpu.cfs_period_us".into(), "50000".into()),
        ("pids.max".into(), "51".into()),
    ];
    set(&wanted).expect("set");
    assert_eq!(read(&cgroup, "pids.max"), "51");
    match cgroup.version {
        Version::V1 => assert_eq!(read(&cgroup, "cpu.cfs_period_us"), "50000"),
        Version::V2 => assert_eq!(read(&cgroup, "cpu.max"), "20000 50000"),
    }
    finish(&mut cgroup);
}

#[test]
fn no_hierarchy_and_paths_with_the_mount_point() {
    let none = Host::default();
    let error = Plan::new(&none, &request("x", &[]));
    assert_eq!(error, Err(Error::NoHierarchy));
    for hierarchy in host().hierarchies {
        let group = hierarchy.directory("x").to_string_lossy().into_owned();
        let error = create(&request(&group, &[])).expect_err("a mount point in front");
        assert_eq!(error.errno(), libc::EINVAL, "{error}");
    }
    assert!(create(&request("../../x", &[])).is_err());
    assert!(!Path::new("/sys/fs/x").exists());
}

#[test]
#[ignore = "needs cgroups"]
fn entries_are_close_on_exec() {
    let mut cgroup = create(&request(&unique(), &[("pids.max", "9")])).expect("a group");
    for entry in cgroup.entries() {
        let flags = nix::fcntl::fcntl(entry.procs, nix::fcntl::FcntlArg::F_GETFD).expect("flags");
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        let error = entry.error(libc::EACCES);
        assert!(error.path().ends_with("cgroup.procs"), "{error}");
        assert_eq!(error.errno(), libc::EACCES);
    }
    finish(&mut cgroup);
}

#[test]
#[ignore = "needs cgroups and cpuset"]
fn cpus_and_memory_nodes() {
    let base = unique();
    let inside = |settings| request(&format!("{base}/x"), settings);
    let mut cgroup = create(&inside(&[("cpuset.cpus", "0")])).expect("a group");
    assert_eq!(read(&cgroup, "cpuset.cpus"), "0");
    let mut child = spawn(&cgroup, "exec sleep 1000");
    until("it is there", || count(&cgroup) == 1);
    finish(&mut cgroup);
    child.wait().expect("wait");
    let error = create(&inside(&[("cpuset.cpus", "4095")])).expect_err("no such CPU");
    assert!(
        matches!(error.errno(), libc::EINVAL | libc::ERANGE),
        "{error}"
    );
    assert!(error.path().ends_with("cpuset.cpus"), "{error}");
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1) {
        let first_only = request(&base, &[("cpuset.cpus", "0")]);
        set(&first_only).expect("set");
        let error = create(&inside(&[("cpuset.cpus", "1")])).expect_err("not granted");
        assert!(
            matches!(error.errno(), libc::EACCES | libc::EINVAL),
            "{error}"
        );
        assert!(
            error.to_string().contains("failed to write \"1\" to /"),
            "{error}"
        );
    }
    clean(&host(), &request(&base, &[("cpuset.cpus", "0")]), TIMEOUT).expect("clean");
}

#[test]
#[ignore = "needs cgroups and cpuset of cgroup v1"]
fn a_cpuset_that_refuses_the_program() {
    let nowhere = request(&unique(), &[("cpuset.cpus", "")]);
    let mut cgroup = create(&nowhere).expect("a group");
    assert_eq!(read(&cgroup, "cpuset.cpus"), "");
    let status = spawn(&cgroup, "exec true").wait().expect("wait");
    assert_eq!(status.code(), Some(99));
    let index = cgroup
        .directories()
        .iter()
        .position(|(label, _)| label.contains("cpuset"));
    let entry = cgroup.entries().nth(index.expect("a cpuset"));
    let text = entry.expect("an entry").error(libc::ENOSPC).to_string();
    assert!(
        text.ends_with("its cpuset.cpus or cpuset.mems is empty"),
        "{text}"
    );
    finish(&mut cgroup);
}

/// The number of a whole disk, if there is one.
fn disk() -> Option<String> {
    let disks = fs::read_dir("/sys/block").ok()?.flatten();
    let mut numbers = disks.filter_map(|disk| fs::read_to_string(disk.path().join("dev")).ok());
    Some(numbers.next()?.trim().to_string())
}

#[test]
#[ignore = "needs cgroups, io and a disk"]
fn limits_of_disks() {
    let disk = disk().expect("a disk");
    let v1 = (
        "blkio.throttle.write_bps_device",
        &*format!("{disk} 1048576"),
    );
    let v2 = ("io.max", &*format!("{disk} wbps=1048576"));
    for settings in [[v1], [v2]] {
        let mut cgroup = create(&request(&unique(), &settings)).expect("a group");
        match cgroup.version {
            Version::V1 => assert_eq!(read(&cgroup, v1.0), v1.1),
            Version::V2 => {
                assert_eq!(
                    read(&cgroup, "io.max"),
                    format!(
                        "{} riops=max wiops=max",
                        v2.1.replace("wbps", "rbps=max wbps")
                    )
                );
            }
        }
        finish(&mut cgroup);
    }
    let error = create(&request(&unique(), &[("io.max", "9999:9999 rbps=1")]));
    let error = error.expect_err("no such disk");
    assert_eq!(error.errno(), libc::ENODEV, "{error}");
}
