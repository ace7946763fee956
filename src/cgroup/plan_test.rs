// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Plans, and checks of them in directories that look like hierarchies.

use std::fs;
use std::path::Path;

use super::*;

/// A v2 hierarchy in a directory: this process is in `/app/main`, and `/app` has enabled pids.
fn tree() -> (tempfile::TempDir, Host) {
    let root = tempfile::tempdir().expect("a directory");
    let point = root.path().join("cg");
    let files = [
        ("cgroup.controllers", "cpu memory pids"),
        ("cgroup.subtree_control", "memory pids"),
        ("cgroup.procs", "1\n"),
        ("app/cgroup.controllers", "memory pids"),
        ("app/cgroup.subtree_control", "pids"),
        ("app/cgroup.events", "populated 1\n"),
        ("app/cgroup.procs", ""),
        ("app/main/cgroup.procs", "7\n"),
        ("app/main/cgroup.events", "populated 1\n"),
        ("app/main/cgroup.subtree_control", ""),
    ];
    for (name, text) in files {
        let path = point.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        fs::write(path, text).expect("file");
    }
    let mounts = format!("1 0 0:26 / {} rw - cgroup2 c rw\n", point.display());
    let mut host = Host::from_parts(&mounts, "0::/app/main\n");
    host.read_available();
    (root, host)
}

fn request(group: &str, controllers: &[&str]) -> Request {
    Request {
        group: group.into(),
        controllers: controllers.iter().map(ToString::to_string).collect(),
        settings: vec![],
    }
}

fn check(host: &Host, request: &Request) -> Result<Plan, Error> {
    Plan::new(host, request)?.check()
}

#[test]
fn a_check_creates_nothing() {
    let (root, host) = tree();
    let point = root.path().join("cg");
    let plan = check(&host, &request("app/a/b/x", &["memory"])).expect("it works");
    assert_eq!(plan.locations[0].path, point.join("app/a/b/x"));
    assert_eq!(plan.locations[0].deepest_existing(), point.join("app"));
    assert_eq!(plan.holder(), host.unified());
    assert!(!point.join("app/a").exists(), "looking only");
    let control = fs::read_to_string(point.join("app/cgroup.subtree_control"));
    assert_eq!(control.expect("read"), "pids", "looking only");
}

#[test]
fn a_controller_that_v2_does_not_offer() {
    let (_root, host) = tree();
    let error = check(&host, &request("app/x", &["io"])).expect_err("no io");
    assert!(error.to_string().contains("no controller \"io\""));
}

#[test]
fn enabling_controllers_in_a_group_with_processes() {
    let (_root, host) = tree();
    let error = check(&host, &request("app/main/x", &["pids"])).expect_err("busy");
    assert_eq!(error.errno(), libc::EBUSY);
    assert!(error.path().ends_with("app/main/cgroup.subtree_control"));
    assert!(check(&host, &request("app/main/x", &[])).is_ok());
    // The root may have processes. It has no cgroup.events.
    assert!(check(&host, &request("x/y", &["cpu"])).is_ok());
}

#[test]
fn a_file_in_the_path_and_an_invalid_path() {
    let (_root, host) = tree();
    let error = check(&host, &request("cgroup.procs/x", &[])).expect_err("a file");
    assert_eq!(error.errno(), libc::ENOTDIR);
    assert!(check(&host, &request("../x", &[])).is_err());
}

#[test]
fn v1_adds_the_freezer_and_names_a_missing_hierarchy() {
    let root = tempfile::tempdir().expect("a directory");
    let mut mounts = String::new();
    for (number, name) in ["memory", "freezer", "pids"].iter().enumerate() {
        let point = root.path().join(name);
        fs::create_dir(&point).expect("directory");
        let point = point.display();
        let line = format!("{number} 99 0:{number} / {point} rw - cgroup c rw,{name}\n");
        mounts.push_str(&line);
    }
    let own = "3:memory:/\n2:freezer:/\n1:pids:/\n";
    let host = Host::from_parts(&mounts, own);
    let plan = check(&host, &request("b/x", &["memory"])).expect("it works");
    let hierarchies = plan.locations.iter().map(|location| &location.hierarchy);
    let labels: Vec<String> = hierarchies.map(Hierarchy::label).collect();
    assert_eq!(labels, ["memory", "freezer"]);
    assert_eq!(plan.holder(), host.legacy_with("freezer"));
    let error = check(&host, &request("b/x", &["cpu"])).expect_err("no cpu");
    assert_eq!(error.path(), Path::new("cpu"));
    fs::remove_dir(root.path().join("freezer")).expect("rmdir");
    let plan = check(&host, &request("b/x", &["memory"])).expect("still");
    assert_eq!(plan.holder(), None);
    assert_eq!(plan.locations.len(), 1);
    let none = check(&Host::default(), &request("x", &[])).expect_err("nothing");
    assert_eq!(none, Error::NoHierarchy);
}
