// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Killing real processes by every method that this host has.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Instant;

use super::group::{Method, tree};
use super::owned::Cgroup;
use super::request::Request;
use super::test_support::*;

/// The methods of killing that this group has.
fn methods(cgroup: &Cgroup) -> Vec<Method> {
    let best = Method::of(&cgroup.groups);
    match best {
        Method::KillFile(index) => vec![best, Method::Freeze(index), Method::Signals],
        best => vec![best, Method::Signals],
    }
}

fn with_each_method(settings: &[(&str, &str)], act: impl Fn(&mut Cgroup, Method)) {
    let freezer = host()
        .legacy_with("freezer")
        .map(|_| vec!["freezer".to_string()]);
    for controllers in [Some(vec![]), freezer].into_iter().flatten() {
        let make = || {
            let request = Request {
                controllers: controllers.clone(),
                ..request(&unique(), settings)
            };
            create(&request).expect("a group")
        };
        let mut probe = make();
        let methods = methods(&probe);
        finish(&mut probe);
        for method in methods {
            let mut cgroup = make();
            cgroup.killer.method = method;
            act(&mut cgroup, method);
            finish(&mut cgroup);
        }
    }
}

/// How many `sleep`s are in the group.
fn sleeping(cgroup: &Cgroup) -> usize {
    let groups = cgroup.groups.iter();
    let pids: BTreeSet<i32> = groups
        .flat_map(|group| tree::members(group.dir()).expect("members").pids)
        .collect();
    let name = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    pids.iter().filter(|pid| name(pid) == "sleep\n").count()
}

#[test]
#[ignore = "needs cgroups"]
fn a_program_is_killed_with_all_its_descendants() {
    with_each_method(&[("pids.max", "2000")], |cgroup, method| {
        let script = "for i in 1 2 3; do (setsid sh -c '(sleep 1000 & sleep 1000 &) ; sleep 1000' &); done\n\
                      trap '' TERM\nwait; sleep 1000 & wait";
        let mut child = spawn(cgroup, script);
        // The number of shells between them varies.
        until("ten sleeps", || sleeping(cgroup) == 10);
        assert!(
            !cgroup.remove_step().expect("remove_step"),
            "not while it is in use"
        );
        let started = Instant::now();
        kill_all(cgroup);
        eprintln!(
            "{method:?}: {} killed in {:?}",
            cgroup.killed(),
            started.elapsed()
        );
        assert!(cgroup.killed() >= 10);
        assert_eq!(cgroup.denied(), 0);
        assert!(cgroup.is_empty().expect("is_empty"));
        child.wait().expect("wait");
    });
}

#[test]
#[ignore = "needs cgroups"]
fn a_fork_bomb_is_stopped() {
    with_each_method(&[("pids.max", "200")], |cgroup, method| {
        let mut child = spawn(cgroup, "exec perl -e 'fork while 1'");
        until("the bomb is at its limit", || count(cgroup) >= 190);
        let started = Instant::now();
        kill_all(cgroup);
        eprintln!("{method:?}: fork bomb stopped in {:?}", started.elapsed());
        child.wait().expect("wait");
    });
}

#[test]
#[ignore = "needs cgroups"]
fn groups_that_the_program_created_are_emptied_and_removed() {
    with_each_method(&[("pids.max", "50")], |cgroup, _| {
        let mut children = vec![];
        for (_, directory) in cgroup.directories() {
            let deep = (0..30).fold(directory.clone(), |path, level| {
                path.join(level.to_string())
            });
            fs::create_dir_all(&deep).expect("nested groups");
            // A name that is not UTF-8.
            let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe");
            fs::create_dir(directory.join(odd)).expect("an odd group");
            let enter = format!(
                "echo 0 > {}/cgroup.procs; sleep 1000 & exec sleep 1000",
                deep.display()
            );
            children.push(spawn(cgroup, &enter));
        }
        let expected = 2 * cgroup.directories().len();
        until("all are there", || count(cgroup) >= expected);
        finish(cgroup);
        for mut child in children {
            child.wait().expect("wait");
        }
    });
}

#[test]
#[ignore = "needs cgroups"]
fn frozen_processes_die_too() {
    with_each_method(&[("pids.max", "50")], |cgroup, method| {
        let mut child = spawn(cgroup, "sleep 1000 & exec sleep 1000");
        until("both are there", || count(cgroup) == 2);
        // Without a freezer, nothing freezes them.
        if method == Method::Signals {
            finish(cgroup);
            child.wait().expect("wait");
            return;
        }
        for group in &cgroup.groups {
            // The group has one of the two.
            let _ = group.write("freezer.state", "FROZEN");
            let _ = group.write("cgroup.freeze", "1");
        }
        finish(cgroup);
        child.wait().expect("wait");
    });
}

#[test]
#[ignore = "needs cgroups"]
fn processes_of_another_user() {
    let mut cgroup = create(&request(&unique(), &[("pids.max", "50")])).expect("a group");
    let mut child = spawn(&cgroup, "exec perl -e '$< = $> = 65534; fork; sleep 1000'");
    until("both are there", || count(&cgroup) == 2);
    finish(&mut cgroup);
    child.wait().expect("wait");
}

#[test]
#[ignore = "needs cgroups"]
fn processes_whose_first_thread_has_ended() {
    let script = format!(
        "exec perl -e 'use threads; threads->create(sub {{ sleep 1000 }}); syscall({}, 0)'",
        libc::SYS_exit
    );
    with_each_method(&[("pids.max", "50")], |cgroup, _| {
        let mut child = spawn(cgroup, &script);
        let status = format!("/proc/{}/status", child.id());
        until("its first thread has ended", || {
            let status = fs::read_to_string(&status).expect("status");
            status.contains("State:\tZ") && status.contains("Threads:\t2")
        });
        finish(cgroup);
        child.wait().expect("wait");
    });
}
