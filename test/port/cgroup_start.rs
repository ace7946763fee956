// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! How programs get into their cgroups.

use crate::filter::filter;
use crate::groups::Group;
use crate::harness::captured;
use nix::libc;
use std::fs;

#[test]
#[ignore = "needs cgroups and /usr/bin/perl"]
fn a_program_enters_its_group_without_clone3() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        let group = Group::new("refused");
        let action = libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
        let via = filter(action, &[libc::SYS_clone3]);
        let via: Vec<&str> = via.iter().map(String::as_str).collect();
        let outcome = captured(&["--group", &group.name])
            .via(&via)
            .program(&["cat", "/proc/self/cgroup"])
            .run();
        let output = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(
            output.contains(&format!(":/{}\n", group.name)),
            "{outcome:?}"
        );
    }
}

/// Linux 6.18 kills whatever the helper creates in another group then.
#[test]
#[ignore = "needs cgroups and cgroup v2"]
fn a_helper_in_a_group_that_was_killed() {
    let (own, group) = (Group::new("killed"), Group::new("program"));
    let directory = own.create();
    fs::write(directory.join("cgroup.kill"), "1").unwrap();
    let procs = directory.join("cgroup.procs");
    let enter = format!("echo 0 >{} && exec \"$@\"", procs.display());
    let outcome = captured(&["--group", &group.name])
        .via(&["sh", "-c", &enter, "sh"])
        .program(&["cat", "/proc/self/cgroup"])
        .run();
    let output = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(
        output.contains(&format!(":/{}\n", group.name)),
        "{outcome:?}"
    );
    assert_eq!(outcome.code(), 0);
}

#[test]
#[ignore = "needs cgroups"]
fn a_program_that_kills_itself_is_not_started_again() {
    let group = Group::new("suicide");
    let outcome = captured(&["--group", &group.name])
        .sh("echo started; kill -9 $$")
        .run();
    assert_eq!(outcome.stdout, b"started\n", "{outcome:?}");
    let report = outcome.report();
    assert_eq!((report.how, report.code), (1, 9));
}
