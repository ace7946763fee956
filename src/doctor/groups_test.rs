// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Which base is chosen, what is said of controllers, and how processes would be killed.

use super::*;

/// A v2 tree in a folder: this process is in `app/main`, and `app` passes nothing on yet.
struct Tree {
    root: tempfile::TempDir,
    host: Host,
}

impl Tree {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let tree = [
            ("cgroup.controllers", "memory pids"),
            ("cgroup.subtree_control", "memory"),
            ("cgroup.procs", "1\n"),
            ("app/cgroup.controllers", "memory"),
            ("app/cgroup.subtree_control", ""),
            ("app/cgroup.events", ""),
            ("app/cgroup.procs", ""),
            ("app/main/cgroup.events", ""),
            ("app/main/cgroup.procs", "7\n"),
            ("app/main/cgroup.subtree_control", ""),
            ("app/main/cgroup.kill", ""),
        ];
        for (name, text) in tree {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            fs::write(path, text).expect("file");
        }
        let mounts = format!("1 0 0:26 / {} rw - cgroup2 c rw\n", root.path().display());
        let mut host = Host::from_parts(&mounts, "0::/app/main\n");
        host.read_available();
        Self { root, host }
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn facts() -> Facts {
    Facts {
        release: "6.1.0".into(),
        user: "joe".into(),
        uid: 1000,
        ..Facts::default()
    }
}

#[test]
fn the_base_is_where_most_works_and_otherwise_the_plainest() {
    let tree = Tree::new();
    assert_eq!(choose_base(&tree.host, &strings(&["memory"])), "muontrap");
    // Somebody has put a file there.
    fs::write(tree.root.path().join("muontrap"), "").expect("file");
    assert_eq!(
        choose_base(&tree.host, &strings(&["memory"])),
        "app/muontrap"
    );
    // Where this process is, nothing can be passed on; without need of that, nearest is best.
    assert_eq!(choose_base(&tree.host, &[]), "app/main/muontrap");
    assert_eq!(choose_base(&Host::default(), &[]), "muontrap");
}

#[test]
fn controllers_one_by_one() {
    let tree = Tree::new();
    let (facts, wanted) = (facts(), strings(&["memory"]));
    let view = View {
        facts: &facts,
        host: &tree.host,
        base: "app",
        wanted: &wanted,
    };
    let memory = view.controller("memory");
    assert_eq!(memory.home, Some((Version::V2, tree.root.path().into())));
    assert_eq!(
        (memory.enabled, memory.delegated, memory.writable),
        (true, Some(true), true)
    );
    assert!(memory.failure.is_none());
    let pids = view.controller("pids");
    assert_eq!((pids.enabled, pids.delegated), (true, Some(false)));
    let cpu = view.controller("cpu");
    assert_eq!((cpu.home, cpu.enabled, cpu.delegated), (None, false, None));
    assert!(cpu.failure.expect("missing").message.contains("\"cpu\""));
    assert_eq!(cpu.mends, [], "nobody asked for it");
    assert_eq!(names(&tree.host), ["memory", "cpu", "pids", "io", "cpuset"]);
}

#[test]
fn a_bad_base_is_named_as_it_was_given() {
    let facts = facts();
    let view = View {
        facts: &facts,
        host: &Host::default(),
        base: "../x",
        wanted: &[],
    };
    let failure = view.verdict(&[]).outcome.expect_err("refused");
    assert!(failure.message.contains("\"../x\""), "{failure}");
}

#[test]
fn kinds_of_hosts_and_of_names() {
    let v1 =
        "1 0 0:1 / /cg/blkio rw - cgroup c rw,blkio\n2 0 0:2 / /cg/rdma rw - cgroup c rw,rdma\n";
    let own = "3:blkio:/\n2:rdma:/\n0::/\n";
    let host = |mounts: &str| Host::from_parts(mounts, own);
    assert_eq!(kind(&Host::default()), "none");
    assert_eq!(kind(&host(v1)), "v1");
    assert_eq!(
        names(&host(v1)),
        ["memory", "cpu", "pids", "blkio", "cpuset", "rdma"]
    );
    let v2 = "3 0 0:3 / /cg/unified rw - cgroup2 c rw\n";
    assert_eq!(kind(&host(v2)), "v2");
    assert_eq!(kind(&host(&format!("{v1}{v2}"))), "hybrid");
}

#[test]
fn where_this_process_is() {
    let tree = Tree::new();
    let facts = facts();
    let view = View {
        facts: &facts,
        host: &tree.host,
        base: "app",
        wanted: &[],
    };
    let place = own_place(&view);
    assert_eq!(place.found, "/app/main; delegated from here on: /");
    let mounts = "1 0 0:1 / /no/a rw - cgroup c rw,a\n2 0 0:2 / /no/b rw - cgroup c rw,b\n";
    let host = Host::from_parts(mounts, "2:a:/x\n1:b:/y\n");
    let place = own_place(&View {
        host: &host,
        ..view
    });
    assert_eq!(place.found, "/x (a), /y (b); not delegated to joe");
    assert_eq!(place.status, Status::Warn);
}

#[test]
fn killing() {
    let tree = Tree::new();
    let unified = tree.host.unified().cloned();
    let holder = |holder: Option<Hierarchy>| Plan {
        version: Version::V1,
        controllers: [].into(),
        locations: holder.iter().map(|h| Location::new(h, "x")).collect(),
        alternatives: vec![],
        settings: vec![],
    };
    let held = holder(unified);
    assert_eq!(kill_method(&facts(), Some(&held)), "cgroup.kill");
    fs::remove_file(tree.root.path().join("app/main/cgroup.kill")).expect("remove");
    assert!(kill_method(&facts(), Some(&held)).starts_with("cgroup.freeze"));
    // Without any group to look at, the kernel's version has to say.
    let empty = tempfile::tempdir().expect("a folder");
    let mounts = format!("1 0 0:26 / {} rw - cgroup2 c rw\n", empty.path().display());
    let held = holder(Host::from_parts(&mounts, "0::/\n").unified().cloned());
    assert_eq!(kill_method(&facts(), Some(&held)), "cgroup.kill");
    let old = Facts {
        release: "5.10.0".into(),
        ..facts()
    };
    assert!(kill_method(&old, Some(&held)).starts_with("cgroup.freeze"));
    let v1 = Host::from_parts("1 0 0:1 / /f rw - cgroup c rw,freezer\n", "1:freezer:/\n");
    let frozen = holder(v1.legacy_with("freezer").cloned());
    assert!(kill_method(&facts(), Some(&frozen)).contains("v1 freezer"));
    assert_eq!(
        kill_method(&facts(), Some(&holder(None))),
        "SIGKILL until empty"
    );
    assert!(kill_method(&facts(), None).contains("/proc"));
}
