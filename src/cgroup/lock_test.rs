// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Several at once that want the same group.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

use super::test_support::*;
use super::*;

/// A group that others want, too. Nobody is promised a turn.
fn its_turn(request: &Request) -> Cgroup {
    let mut cgroup = None;
    until("its turn", || {
        match Cgroup::create(&host(), request) {
            Ok(created) => cgroup = Some(created),
            Err(failure) => assert_eq!(failure.errno, libc::EBUSY, "{failure}"),
        }
        cgroup.is_some()
    });
    cgroup.expect("a group")
}

#[test]
#[ignore = "needs cgroups"]
fn many_at_once_have_it_one_by_one() {
    let name = unique();
    let settings = [("pids.max", "50"), ("memory.max", "64M")];
    let run = || {
        let mut cgroup = its_turn(&request(&name, &settings));
        for (_, path) in cgroup.directories() {
            let dir = fs::open_dir(&path).expect("open");
            let again = lock::lock(dir.as_fd(), &path);
            assert!(matches!(again, Err(Refusal::Busy(_))), "{again:?}");
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
fn one_that_stays_is_named() {
    let request = request(&unique(), &[("pids.max", "50")]);
    let mut first = Cgroup::create(&host(), &request).expect("a group");
    let mut child = spawn(&first, "exec sleep 1000");
    until("it is there", || count(&first) == 1);
    let failure = Cgroup::create(&host(), &request).expect_err("the group is in use");
    assert_eq!(failure.errno, libc::EBUSY);
    let expected = format!("is in use by process {}", std::process::id());
    assert!(failure.message.ends_with(&expected), "{failure}");
    assert_eq!(count(&first), 1);
    finish(&mut first);
    child.wait().expect("wait");
}

#[test]
#[ignore = "needs cgroups"]
fn a_lock_of_another_user_is_nothing() {
    let request = request(&unique(), &[("pids.max", "50")]);
    let first = Cgroup::create(&host(), &request).expect("a group");
    let (_, directory) = first.directories().remove(0);
    drop(first);
    let mut other = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg("flock")
        .arg(&directory)
        .args(["sh", "-c", "echo; exec sleep 1000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("setpriv");
    let mut stdout = other.stdout.take().expect("stdout");
    stdout.read_exact(&mut [0]).expect("the lock");
    let mut second = Cgroup::create(&host(), &request).expect("a group");
    finish(&mut second);
    // The lock is that of the program, too, to which flock(1) leaves its descriptor.
    let program = format!("/proc/{0}/task/{0}/children", other.id());
    let program = std::fs::read_to_string(program).expect("children");
    let program = program.trim().parse().expect("one child");
    crate::sys::kill(program, libc::SIGKILL).expect("kill");
    other.wait().expect("wait");
}
