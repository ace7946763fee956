// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! For each kind of host, the fixes of each error.

use super::*;
use crate::cgroup::Host;

const V2: &str = "1 0 0:26 / /cg rw - cgroup2 c rw\n";
const READ_ONLY: &str = "1 0 0:26 / /cg ro - cgroup2 c rw\n";
const V1: &str = "\
1 0 0:1 / /cg/memory rw - cgroup c rw,memory
2 0 0:2 / /cg/cpu rw - cgroup c rw,cpu,cpuacct
3 0 0:3 / /cg/freezer rw - cgroup c rw,freezer
";
const OWN: &str = "3:memory:/\n2:cpu,cpuacct:/\n1:freezer:/\n0::/\n";

fn user(kind: HostKind) -> Facts {
    Facts {
        uid: 1000,
        user: "joe".into(),
        status: "CapEff:\t0000000000000000\n".into(),
        filesystems: "nodev\tcgroup\nnodev\tcgroup2\n".into(),
        kind,
        ..Facts::default()
    }
}

fn not_enabled(errno: i32, group: &str) -> Error {
    Error::NotEnabled {
        controller: "memory".into(),
        group: group.into(),
        errno,
    }
}

fn fixes_on(mut facts: Facts, mounts: &str, controllers: &[&str], error: &Error) -> Vec<Fix> {
    facts.cgroups = Host::from_parts(mounts, OWN);
    facts.cgroups.read_available();
    let controllers: Vec<String> = controllers.iter().map(ToString::to_string).collect();
    let context = Context {
        facts: &facts,
        base: "app/x",
        controllers: &controllers,
    };
    let fixes = context.fixes(error);
    for fix in &fixes {
        let without_value = fix.place.contains('{') || fix.text.contains('{');
        assert!(!without_value, "{fix:?}");
    }
    fixes
}

fn texts_on(facts: Facts, mounts: &str, controllers: &[&str], error: &Error) -> String {
    texts(&fixes_on(facts, mounts, controllers, error))
}

fn texts(fixes: &[Fix]) -> String {
    let texts: Vec<&str> = fixes.iter().map(|fix| fix.text.as_str()).collect();
    texts.join("\n---\n")
}

#[test]
fn no_permission_on_v1() {
    let error = not_enabled(libc::EACCES, "/cg/memory");
    for kind in [HostKind::Plain, HostKind::Systemd, HostKind::Nerves] {
        let text = texts_on(user(kind), V1, &["memory", "cpu", "cpuacct"], &error);
        assert_eq!(
            text,
            "for g in /cg/cpu/app/x /cg/freezer/app/x /cg/memory/app/x; do mkdir -p $g && chown -R \
             joe $g; done"
        );
    }
}

#[test]
fn no_permission_on_v2() {
    let error = not_enabled(libc::EACCES, "/cg/app");
    let plain = texts_on(user(HostKind::Plain), V2, &[], &error);
    assert_eq!(
        plain,
        "g=/cg/app/x\nmkdir -p $g/main\nchown joe $g $g/cgroup.procs $g/cgroup.subtree_control $g/main \
         $g/main/cgroup.procs\necho $$ > $g/main/cgroup.procs"
    );
    let denied = Error::Denied {
        controllers: vec!["memory".into()],
        cause: Box::new(error),
    };
    let unit = texts_on(user(HostKind::Systemd), V2, &["memory"], &denied);
    for part in [
        "[Service]\nUser=joe\nDelegate=yes\nDelegateSubgroup=main",
        "#!/bin/sh\ng=/cg$(sed",
        "systemd-run --user --scope -p Delegate=yes sh -c 'g=/cg$(sed",
        "[Service]\nDelegate=cpu cpuset io memory pids",
    ] {
        assert!(unit.contains(part), "{part} in {unit}");
    }
    let root = Facts {
        uid: 0,
        ..user(HostKind::Systemd)
    };
    let unit = texts_on(root, V2, &[], &denied);
    assert!(unit.starts_with("[Service]\nDelegate=yes"), "{unit}");
}

#[test]
fn controllers_are_passed_on_from_the_top() {
    let root = tempfile::tempdir().expect("a folder");
    let point = root.path().display().to_string();
    std::fs::write(root.path().join("cgroup.controllers"), "io memory").expect("file");
    let mounts = format!("1 0 0:26 / {point} rw - cgroup2 c rw\n");
    let error = not_enabled(libc::EACCES, &format!("{point}/app"));
    let plain = texts_on(user(HostKind::Plain), &mounts, &["blkio", "rdma"], &error);
    let line = format!(
        "\nh={point}; for name in app x main; do echo \"+io\" > $h/cgroup.subtree_control; h=$h/$name; done\n"
    );
    assert!(plain.contains(&line), "{plain}");
    // Only a group that is not the root of the hierarchy has this file. In a container, the entry point prepares it.
    std::fs::write(root.path().join("cgroup.events"), "").expect("file");
    let inside = texts_on(user(HostKind::Container), &mounts, &["io"], &error);
    let expected = format!("mkdir -p {point}/main\nfor p in");
    assert!(inside.starts_with(&expected), "{inside}");
    for part in [
        format!("echo \"+io\" > {point}/cgroup.subtree_control\n"),
        format!("chown joe {point} "),
    ] {
        assert!(inside.contains(&part), "{inside}");
    }
}

#[test]
fn read_only_mounts() {
    let error = not_enabled(libc::EROFS, "/cg");
    let plain = texts_on(user(HostKind::Plain), READ_ONLY, &[], &error);
    assert_eq!(plain, "mount -o remount,rw,bind /cg");
    let on = |mounts: &str, error: &Error| {
        texts_on(user(HostKind::Container), mounts, &["memory"], error)
    };
    let container = on(READ_ONLY, &error);
    for part in [
        "writable-cgroups=true",
        "unmask=/sys/fs/cgroup",
        "cgroup_writable",
        "--privileged",
    ] {
        assert!(container.contains(part), "{container}");
    }
    // The permissions are checked before the mount.
    assert_eq!(on(READ_ONLY, &not_enabled(libc::EACCES, "/cg")), container);
    let v1 = V1.replace("/cg/memory rw", "/cg/memory ro");
    assert_eq!(
        on(&v1, &error),
        "docker run --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw IMAGE"
    );
}

#[test]
fn processes_in_the_way() {
    let error = not_enabled(libc::EBUSY, "/cg/app");
    let plain = texts_on(user(HostKind::Plain), V2, &["memory"], &error);
    assert_eq!(
        plain,
        "mkdir -p /cg/app/main\nfor p in $(cat /cg/app/cgroup.procs); do echo $p > \
         /cg/app/main/cgroup.procs || :; done 2> /dev/null"
    );
    let unit = texts_on(user(HostKind::Systemd), V2, &["memory"], &error);
    assert!(unit.ends_with("DelegateSubgroup=main"), "{unit}");
    let in_use = Error::InUse {
        path: "/cg/app".into(),
        holder: None,
        is_below: false,
    };
    assert_eq!(fixes_on(user(HostKind::Plain), V2, &[], &in_use), []);
}

#[test]
fn nothing_mounted() {
    let with = |kind, proc_cgroups: &str, filesystems: &str| {
        let facts = Facts {
            proc_cgroups: proc_cgroups.into(),
            filesystems: filesystems.into(),
            ..user(kind)
        };
        texts_on(facts, "", &["memory"], &Error::NoHierarchy)
    };
    let known = "nodev\tcgroup2\n";
    assert_eq!(
        with(HostKind::Plain, "memory\t0\t1\t1\n", known),
        "mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    );
    let on_v1 = with(HostKind::Plain, "memory\t4\t1\t1\n", known);
    assert!(on_v1.contains("for c in memory; do mkdir"), "{on_v1}");
    assert!(with(HostKind::Nerves, "", known).starts_with("-m cgroup2:/sys/fs/cgroup:cgroup2:"));
    assert!(with(HostKind::Container, "", known).starts_with("docker run"));
    assert_eq!(
        with(HostKind::Plain, "", "ext4\n"),
        "CONFIG_CGROUPS=y\nCONFIG_MEMCG=y"
    );
}

#[test]
fn a_controller_that_is_missing() {
    let with = |kind, mounts: &str, proc_cgroups: &str, name: &str| {
        let facts = Facts {
            proc_cgroups: proc_cgroups.into(),
            ..user(kind)
        };
        let error = Error::NotMounted {
            controller: name.into(),
            needed: vec![],
        };
        fixes_on(facts, mounts, &["pids", name], &error)
    };
    let off = with(HostKind::Plain, V2, "memory\t0\t1\t0\n", "memory");
    assert_eq!(texts(&off), "cgroup_enable=memory");
    assert!(off[0].place.contains("GRUB_CMDLINE_LINUX"));
    let off = with(HostKind::Nerves, V2, "memory\t0\t1\t0\n", "memory");
    assert!(off[0].place.contains("cmdline.txt"));
    let on_v1 = texts(&with(HostKind::Plain, V2, "blkio\t4\t1\t1\n", "io"));
    assert!(on_v1.contains("mount -t cgroup -o blkio cgroup /sys/fs/cgroup/blkio"));
    let on_v1 = with(HostKind::Nerves, V1, "blkio\t0\t1\t1\n", "io");
    assert_eq!(
        texts(&on_v1),
        "-m blkio:/sys/fs/cgroup/blkio:cgroup:nodev,noexec,nosuid:blkio"
    );
    for (name, option) in [
        ("memory", "CONFIG_MEMCG"),
        ("cpu", "CONFIG_CFS_BANDWIDTH"),
        ("cpuset", "CONFIG_CPUSETS"),
        ("io", "CONFIG_BLK_CGROUP"),
        ("hugetlb", "CONFIG_CGROUP_HUGETLB"),
    ] {
        let absent = texts(&with(HostKind::Plain, V2, "", name));
        assert!(absent.contains(option), "{absent}");
    }
}

#[test]
fn what_no_row_is_about() {
    let wrong = not_enabled(libc::ENOTDIR, "/cg/x");
    assert_eq!(fixes_on(user(HostKind::Plain), V2, &[], &wrong), []);
}
