// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is refused, and what works without root. Each test runs in a process of its own, since cgroup, user and
//! namespaces are those of a process.

use std::fs;
use std::path::Path;

use super::clean::clean;
use super::dialect::Version;
use super::error::{Attempt, Error};
use super::request::Request;
use super::test_support::*;

const NOBODY: u32 = 65534;
/// Opens the test executable before the change of user, who may have no access to its directory.
const AS_NOBODY: &str = "exec 3<\"$1\"; shift; exec setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/3 \"$@\"";

fn move_in(child: &std::process::Child, directory: &Path) {
    fs::write(directory.join("cgroup.procs"), child.id().to_string()).expect("moved in");
}

fn remove_everywhere(group: &str) {
    for hierarchy in host().hierarchies {
        let _ = fs::remove_dir(hierarchy.directory(group));
    }
}

#[test]
#[ignore = "needs cgroups"]
fn our_own_group_is_refused() {
    let base = unique();
    let inside = request(&format!("{base}/in"), &[("pids.max", "50")]);
    // The test is in the group; then only its parent, a shell that stands for the BEAM.
    for around in ["exec \"$@\"", "\"$@\"; exit $?"] {
        let mut cgroup = create(&inside).expect("a group");
        let child = in_another_process("part_refused", &base, around);
        for (_, directory) in cgroup.directories() {
            move_in(&child, &directory);
        }
        go(child);
        finish(&mut cgroup);
    }
    remove_everywhere(&base);
}

#[test]
#[ignore = "is a part of another test"]
fn part_refused() {
    let Some(base) = part() else { return };
    for group in [format!("{base}/in"), base] {
        let request = request(&group, &[("pids.max", "50")]);
        for error in [
            create(&request).expect_err("our own group"),
            clean(&host(), &request, TIMEOUT).expect_err("our own group"),
        ] {
            assert!(matches!(error, Error::HoldsMuontrap { .. }), "{error}");
        }
    }
    eprintln!("part done");
}

/// Gives a group to nobody, as `chown` or systemd's `Delegate=yes` do.
fn delegate(directory: &Path) {
    for file in ["", "cgroup.procs", "cgroup.subtree_control"] {
        let path = directory.join(file);
        if path.exists() {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).expect("chown");
        }
    }
}

/// Creates a group and `main` below it, which nobody uses, and delegates both in the hierarchies whose label is
/// `wanted`.
fn delegated(base: &str, wanted: impl Fn(&str) -> bool) -> Request {
    let request = request(base, &[("pids.max", "500"), ("memory.max", "1G")]);
    let cgroup = create(&request).expect("a group");
    for (label, directory) in cgroup.directories() {
        if cgroup.version == Version::V2 {
            fs::write(directory.join("cgroup.subtree_control"), "+pids +memory")
                .expect("passed on");
        }
        fs::create_dir(directory.join("main")).expect("main");
        if wanted(&label) {
            delegate(&directory);
            delegate(&directory.join("main"));
        }
    }
    request
}

/// Removes such a group.
fn take_back(request: &Request) {
    finish(&mut create(request).expect("a group"));
}

#[test]
#[ignore = "needs cgroups"]
fn a_user_in_a_delegated_group() {
    let base = unique();
    let outer = delegated(&base, |_| true);
    let child = in_another_process("part_delegated", &base, AS_NOBODY);
    let host = host();
    let mains = host
        .hierarchies
        .iter()
        .map(|h| h.directory(&base).join("main"));
    for main in mains.filter(|main| main.exists()) {
        move_in(&child, &main);
    }
    go(child);
    take_back(&outer);
}

#[test]
#[ignore = "needs cgroups and cgroup v1"]
fn a_user_with_some_v1_controllers() {
    // The v2 mount is not delegated, or it is but cannot be entered.
    for unified in [false, true] {
        let base = unique();
        let outer = delegated(&base, |label| !label.is_empty() || unified);
        go(in_another_process("part_delegated", &base, AS_NOBODY));
        take_back(&outer);
    }
}

#[test]
#[ignore = "is a part of another test"]
fn part_delegated() {
    let Some(base) = part() else { return };
    let settings = [("pids.max", "20"), ("memory.max", "32M")];
    let inside = request(&format!("{base}/x"), &settings);
    let mut cgroup = create(&inside).expect("a group");
    assert_eq!(read(&cgroup, "pids.max"), "20");
    let mut child = spawn(&cgroup, "sleep 1000 & exec sleep 1000");
    until("both are there", || count(&cgroup) == 2);
    finish(&mut cgroup);
    child.wait().expect("wait");
    // Elsewhere, the error names all controllers and nothing is created.
    let error = create(&request(&unique(), &settings)).expect_err("not ours");
    assert_eq!(error.errno(), libc::EACCES);
    let Error::Denied { controllers, cause } = &error else {
        panic!("{error}")
    };
    assert_eq!(*controllers, ["memory", "pids"]);
    assert!(
        matches!(
            **cause,
            Error::Io {
                attempt: Attempt::Create,
                ..
            }
        ),
        "{error}"
    );
    let advice = error.into_failure(Some("base/x")).advice;
    assert!(
        advice.contains(" doctor --need memory,pids --base base`"),
        "{advice}"
    );
    eprintln!("part done");
}

#[test]
#[ignore = "needs cgroups and cgroup v2 alone"]
fn a_user_outside_of_the_delegated_group() {
    let base = unique();
    let outer = delegated(&base, |_| true);
    go(in_another_process("part_outside", &base, AS_NOBODY));
    take_back(&outer);
}

#[test]
#[ignore = "is a part of another test"]
fn part_outside() {
    let Some(base) = part() else { return };
    let error = create(&request(&format!("{base}/x"), &[])).expect_err("outside");
    assert_eq!(error.errno(), libc::EACCES);
    let Error::NoEntry { unwritable, .. } = error else {
        panic!("{error}")
    };
    assert!(unwritable.is_some_and(|file| file.ends_with("cgroup.procs")));
    assert!(!host().hierarchies[0].directory(&base).join("x").exists());
    eprintln!("part done");
}

#[test]
#[ignore = "needs cgroups and cgroup v2 alone"]
fn controllers_cannot_be_enabled_in_a_group_with_processes() {
    let base = unique();
    let outer = create(&request(&base, &[])).expect("a group");
    let mut child = spawn(&outer, "exec sleep 1000");
    until("it is there", || count(&outer) == 1);
    let directory = outer.directories().remove(0).1;
    // Releases the lock.
    drop(outer);
    let limited = request(&format!("{base}/x"), &[("memory.max", "32M")]);
    let error = create(&limited).expect_err("not with a process in it");
    assert_eq!(error.errno(), libc::EBUSY);
    let is_memory = |name: &str| name == "memory";
    assert!(
        matches!(&error, Error::NotEnabled { controller, .. } if is_memory(controller)),
        "{error}"
    );
    assert!(
        error
            .path()
            .ends_with(format!("{base}/cgroup.subtree_control")),
        "{error}"
    );
    assert!(!directory.join("x").exists());
    // Containment needs no controller, so it works beside the process.
    let mut alone = create(&request(&format!("{base}/x"), &[])).expect("a group");
    finish(&mut alone);
    let there = fs::read_to_string(directory.join("cgroup.procs")).expect("read");
    assert_eq!(there.trim(), child.id().to_string());
    take_back(&request(&base, &[]));
    child.wait().expect("wait");
}

#[test]
#[ignore = "needs cgroups and a mount namespace"]
fn a_read_only_mount() {
    let hierarchies = host().hierarchies;
    let points: Vec<&str> = hierarchies
        .iter()
        .filter_map(|hierarchy| hierarchy.mount_point.to_str())
        .collect();
    let around = format!(
        "exec unshare -m sh -ec 'mount --make-rprivate /; \
         for point in {}; do mount -o remount,ro,bind $point; done; exec \"$@\"' sh \"$@\"",
        points.join(" ")
    );
    go(in_another_process("part_read_only", "", &around));
}

#[test]
#[ignore = "is a part of another test"]
fn part_read_only() {
    let Some(_) = part() else { return };
    assert!(
        host()
            .hierarchies
            .iter()
            .all(|hierarchy| hierarchy.read_only)
    );
    for settings in [&[("pids.max", "9")][..], &[]] {
        let error = create(&request(&unique(), settings)).expect_err("read-only");
        assert_eq!(error.errno(), libc::EROFS, "{error}");
        let advice = error.into_failure(None).advice;
        assert!(advice.ends_with(" doctor` tells how to fix it"), "{advice}");
    }
    eprintln!("part done");
}

#[test]
#[ignore = "needs cgroups, cgroup v2 and a mount namespace"]
fn a_container_with_a_namespace_of_its_own() {
    let base = unique();
    let mut outer = create(&request(&base, &[])).expect("a group");
    let around = "read go && exec unshare -Cm sh -c 'mount --make-rprivate / && \
                  mount -t cgroup2 cgroup2 /mnt && echo | \"$@\"' sh \"$@\"";
    let child = in_another_process("part_namespaced", "", around);
    move_in(&child, &outer.directories()[0].1);
    go(child);
    finish(&mut outer);
}

#[test]
#[ignore = "is a part of another test"]
fn part_namespaced() {
    let Some(_) = part() else { return };
    let mut cgroup = create(&request("/x", &[])).expect("a group");
    assert_eq!(cgroup.directories(), [(String::new(), "/mnt/x".into())]);
    let mut child = spawn(&cgroup, "sleep 1000 & exec sleep 1000");
    until("both are there", || count(&cgroup) == 2);
    finish(&mut cgroup);
    child.wait().expect("wait");
    eprintln!("part done");
}
