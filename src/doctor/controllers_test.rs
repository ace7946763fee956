// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Which base is chosen, and what is reported of controllers.

use super::*;
use crate::doctor::facts::Facts;

/// A v2 tree in a folder: this process is in `app/main`, and `app` enables no controller yet.
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

fn facts_of(tree: &Tree) -> Facts {
    Facts {
        cgroups: tree.host.clone(),
        ..facts()
    }
}

#[test]
fn the_base_is_where_most_works_and_otherwise_the_plainest() {
    let tree = Tree::new();
    assert_eq!(
        choose_base(&facts_of(&tree), &strings(&["memory"])),
        "muontrap"
    );
    // A file has this name.
    fs::write(tree.root.path().join("muontrap"), "").expect("file");
    assert_eq!(
        choose_base(&facts_of(&tree), &strings(&["memory"])),
        "app/muontrap"
    );
    // The group of this process cannot enable controllers. Without controllers, the nearest base is best.
    assert_eq!(choose_base(&facts_of(&tree), &[]), "app/main/muontrap");
    assert_eq!(choose_base(&facts(), &[]), "muontrap");
}

#[test]
fn controllers_one_by_one() {
    let tree = Tree::new();
    let facts = facts_of(&tree);
    let context = Context {
        facts: &facts,
        base: "app",
        controllers: &strings(&["memory"]),
    };
    let memory = context.controller("memory");
    let home = memory.home.expect("a mount");
    assert_eq!(home.mount_point, tree.root.path());
    assert_eq!(
        (memory.enabled, memory.delegated, memory.writable),
        (true, Some(true), true)
    );
    assert!(memory.refusal.is_none());
    let pids = context.controller("pids");
    assert_eq!((pids.enabled, pids.delegated), (true, Some(false)));
    let cpu = context.controller("cpu");
    assert_eq!((cpu.home, cpu.enabled, cpu.delegated), (None, false, None));
    let refusal = cpu.refusal.expect("missing");
    assert!(refusal.why.contains("\"cpu\""), "{}", refusal.why);
    assert_eq!(refusal.fixes, [], "nobody asked for it");
    assert_eq!(names(&tree.host), ["memory", "cpu", "pids", "io", "cpuset"]);
}

#[test]
fn a_bad_base_is_named_as_it_was_given() {
    let facts = facts();
    let context = Context {
        facts: &facts,
        base: "../x",
        controllers: &[],
    };
    let refusal = context.look(&[]).expect_err("refused");
    assert!(refusal.why.contains("\"../x\""), "{}", refusal.why);
    assert!(context.controllers(&strings(&["memory"])).is_empty());
}

#[test]
fn names_on_v1() {
    let mounts =
        "1 0 0:1 / /cg/blkio rw - cgroup c rw,blkio\n2 0 0:2 / /cg/rdma rw - cgroup c rw,rdma\n";
    let host = Host::from_parts(mounts, "3:blkio:/\n2:rdma:/\n0::/\n");
    assert_eq!(
        names(&host),
        ["memory", "cpu", "pids", "blkio", "cpuset", "rdma"]
    );
}

/// On v2, `cpuacct` is not a controller but part of every group, so v2 would have it, too.
#[test]
fn a_refusal_of_cpuacct_is_about_the_mount_of_its_row() {
    let root = tempfile::tempdir().expect("a folder");
    let [v1, v2] = ["cpuacct", "unified"].map(|name| root.path().join(name));
    for point in [&v1, &v2] {
        fs::create_dir(point).expect("directory");
        fs::write(point.join("base"), "").expect("a file in the way");
    }
    let mounts = format!(
        "1 0 0:1 / {} rw - cgroup c rw,cpuacct\n2 0 0:2 / {} rw - cgroup2 c rw\n",
        v1.display(),
        v2.display()
    );
    let facts = Facts {
        cgroups: Host::from_parts(&mounts, "1:cpuacct:/\n0::/\n"),
        ..facts()
    };
    let context = Context {
        facts: &facts,
        base: "base",
        controllers: &[],
    };
    let row = context.controller("cpuacct");
    assert_eq!(row.home.expect("a mount").mount_point, v1);
    let why = row.refusal.expect("refused").why;
    assert!(why.contains(&v1.display().to_string()), "{why}");
}

#[test]
fn a_misspelt_name_is_named_with_the_nearest_one() {
    let tree = Tree::new();
    let facts = facts_of(&tree);
    let context = Context {
        facts: &facts,
        base: "app",
        controllers: &strings(&["memroy"]),
    };
    let refusal = context.look(&strings(&["memroy"])).expect_err("refused");
    for part in ["\"memroy\"", "\"memory\""] {
        assert!(refusal.why.contains(part), "{}", refusal.why);
    }
    assert_eq!(refusal.fixes, []);
}
