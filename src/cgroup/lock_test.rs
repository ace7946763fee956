// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Several muontraps that want the same group.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::clean::clean;
use super::fs;
use super::group::lock;
use super::owned::Cgroup;
use super::request::Request;
use super::test_support::*;

/// Waits for a group that others use. The order is not guaranteed.
fn its_turn(request: &Request) -> Cgroup {
    let mut cgroup = None;
    until("its turn", || {
        match create(request) {
            Ok(created) => cgroup = Some(created),
            Err(failure) => assert_eq!(failure.errno(), libc::EBUSY, "{failure}"),
        }
        cgroup.is_some()
    });
    cgroup.expect("a group")
}

#[test]
#[ignore = "needs cgroups"]
fn a_group_is_used_by_one_at_a_time() {
    let name = unique();
    let settings = [("pids.max", "50"), ("memory.max", "64M")];
    let run = || {
        let mut cgroup = its_turn(&request(&name, &settings));
        for (_, path) in cgroup.directories() {
            let dir = fs::open_dir(&path).expect("open");
            let again = lock(dir.as_fd(), &path, Instant::now());
            assert!(again.is_err_and(|error| error.is_temporary()));
        }
        let mut child = spawn(&cgroup, "exit 7");
        assert_eq!(child.wait().expect("wait").code(), Some(7));
        assert_eq!(read(&cgroup, "pids.max"), "50");
        kill_all(&mut cgroup);
        until("removal", || cgroup.remove_step().expect("remove_step"));
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| run()));
        }
    });
}

#[test]
#[ignore = "needs cgroups"]
fn the_process_that_uses_the_group_is_named() {
    let request = request(&unique(), &[("pids.max", "50")]);
    let mut first = create(&request).expect("a group");
    let mut child = spawn(&first, "exec sleep 1000");
    until("it is there", || count(&first) == 1);
    let failure = create(&request).expect_err("the group is in use");
    assert_eq!(failure.errno(), libc::EBUSY);
    let expected = format!("is in use by process {}", std::process::id());
    assert!(failure.to_string().ends_with(&expected), "{failure}");
    assert_eq!(count(&first), 1);
    finish(&mut first);
    child.wait().expect("wait");
}

/// Creates a group that nobody uses, and returns its directory in one hierarchy.
fn prepared(request: &Request) -> PathBuf {
    let cgroup = create(request).expect("a group");
    cgroup.directories().remove(0).1
}

/// Runs a script that locks the directory of a group and then prints a line.
fn with_lock(directory: &Path, around: &[&str], script: &str) -> Child {
    let mut child = Command::new(around[0])
        .args(&around[1..])
        .args(["sh", "-c", script, "sh"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let stdout = child.stdout.as_mut().expect("stdout");
    stdout.read_exact(&mut [0]).expect("the lock");
    child
}

const LOCK: &str = "exec 9<$1 && flock 9 && echo";
const AS_NOBODY: [&str; 6] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--",
    "env",
];

#[test]
#[ignore = "needs cgroups"]
fn a_lock_of_another_user_does_not_count() {
    let request = request(&unique(), &[("pids.max", "50")]);
    let script = format!("{LOCK} && read line");
    let mut other = with_lock(&prepared(&request), &AS_NOBODY, &script);
    let mut second = create(&request).expect("a group");
    finish(&mut second);
    drop(other.stdin.take());
    other.wait().expect("wait");
}

// /proc/locks names the dead process, while its child holds the lock.
#[test]
#[ignore = "needs cgroups and root"]
fn a_lock_of_a_dead_process_does_not_count() {
    for around in [&AS_NOBODY[..], &["env"]] {
        let request = request(&unique(), &[("pids.max", "50")]);
        let script = "exec 9<$1; python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' && echo; read line";
        let mut heir = with_lock(&prepared(&request), around, script);
        let mut cgroup = create(&request).expect("a group");
        finish(&mut cgroup);
        drop(heir.stdin.take());
        heir.wait().expect("wait");
    }
}

#[test]
#[ignore = "needs cgroups"]
fn groups_above_and_below_one_that_is_in_use_are_in_use() {
    let name = unique();
    let settings = [("pids.max", "50")];
    let outer = request(&name, &settings);
    let inner = request(&format!("{name}/a/b"), &settings);
    for (first, second) in [(&outer, &inner), (&inner, &outer)] {
        let mut used = create(first).expect("a group");
        let mut child = spawn(&used, "exec sleep 1000");
        until("it is there", || count(&used) == 1);
        let failure = create(second).expect_err("it is in use");
        assert_eq!(failure.errno(), libc::EBUSY, "{failure}");
        let expected = format!("in use by process {}", std::process::id());
        assert!(failure.to_string().ends_with(&expected), "{failure}");
        let report = clean(&host(), second, Duration::from_millis(1)).expect("nothing is done");
        assert_eq!(
            (report.in_use.is_some(), report.killed),
            (report.existed, 0)
        );
        assert_eq!(count(&used), 1);
        finish(&mut used);
        child.wait().expect("wait");
    }
    // Groups beside each other do not exclude each other.
    let mut sides = ["a", "b"].map(|side| {
        let request = request(&format!("{name}/{side}"), &settings);
        create(&request).expect("a group")
    });
    sides.iter_mut().for_each(finish);
    finish(&mut create(&outer).expect("a group"));
}
