// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Niceness, umask, limits, capabilities and environment of the program, as the kernel shows them.

use crate::frames::Failed;
use crate::harness::{Outcome, Setup, captured};
use crate::identity::Unprivileged;
use crate::processes::field;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const EPERM: i32 = 1;
const EACCES: i32 = 13;
const NO_CAPABILITIES: &str = "0000000000000000";
const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// A file of the program in `/proc`.
fn shown(setup: Setup, file: &str) -> String {
    let outcome = setup.program(&["cat", &format!("/proc/self/{file}")]).run();
    assert_eq!(outcome.code(), 0, "{}", outcome.errors);
    outcome.text()
}

#[track_caller]
fn refused(outcome: &Outcome, step: &str, errno: i32) -> Failed {
    let failed = outcome.failure();
    let what = (failed.step.as_str(), failed.errno, failed.status);
    assert_eq!(what, (step, errno, 125), "{failed:?}");
    assert!(!failed.message.contains("--"), "{failed:?}");
    failed.clone()
}

/// The 19th field of `stat`, of which the second may have spaces.
fn niceness(stat: &str) -> i32 {
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_ascii_whitespace()
        .nth(16)
        .unwrap()
        .parse()
        .unwrap()
}

/// Soft and hard limit.
fn limit(limits: &str, name: &str) -> (String, String) {
    let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
    let mut words = line[name.len()..].split_ascii_whitespace();
    let mut word = || words.next().unwrap().to_owned();
    (word(), word())
}

/// A set of capabilities in all five sets.
#[track_caller]
fn assert_capabilities(status: &str, set: &str) {
    for name in SETS {
        assert_eq!(
            (name, field(status, name).as_str()),
            (name, set),
            "{status}"
        );
    }
}

// As any user

#[test]
fn nobody_may_be_nicer_and_have_lower_limits() {
    let user = Unprivileged::new();
    assert_eq!(
        niceness(&shown(user.captured(&["--nice", "19"]), "stat")),
        19
    );
    let score = user.captured(&["--oom-score-adj", "500"]);
    assert_eq!(shown(score, "oom_score_adj"), "500\n");
    let mask = shown(user.captured(&["--umask", "23"]), "status");
    assert_eq!(field(&mask, "Umask"), "0027");
    let flag = shown(user.captured(&["--no-new-privs", "1"]), "status");
    assert_eq!(field(&flag, "NoNewPrivs"), "1");
    let limits = shown(
        user.captured(&["--rlimits", "nofile 8 9,core 0 0,cpu 70 80"]),
        "limits",
    );
    let numbers = |soft: &str, hard: &str| (soft.to_owned(), hard.to_owned());
    assert_eq!(limit(&limits, "Max open files"), numbers("8", "9"));
    assert_eq!(limit(&limits, "Max core file size"), numbers("0", "0"));
    assert_eq!(limit(&limits, "Max cpu time"), numbers("70", "80"));
}

#[test]
fn nobody_is_refused_what_takes_privileges() {
    let user = Unprivileged::new();
    let run = |flags: &[&str]| user.captured(flags).program(&["true"]).run();
    refused(&run(&["--nice", "-1"]), "nice", EACCES);
    refused(&run(&["--oom-score-adj", "-1000"]), "oom_score_adj", EACCES);
    let limits = ["--rlimits", "nofile 4000000000 4000000000"];
    let failed = refused(&run(&limits), "rlimits", EPERM);
    assert!(
        failed.message.contains("nofile to 4000000000"),
        "{failed:?}"
    );
    assert!(failed.advice.contains("root"), "{failed:?}");
    let failed = refused(&run(&["--capabilities", ""]), "capabilities", EPERM);
    assert!(failed.message.contains("bounding set"), "{failed:?}");
}

#[test]
fn files_are_opened_whatever_the_limit_on_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let output = directory.path().join("output");
    let flags = ["--rlimits", "nofile 4 4", "--umask", "63", "--stdout-path"];
    let flags = [&flags[..], &[output.to_str().unwrap()]].concat();
    let outcome = captured(&flags).program(&["echo", "hi"]).run();
    assert_eq!(outcome.code(), 0);
    assert_eq!(fs::read_to_string(&output).unwrap(), "hi\n");
    let mode = fs::metadata(&output).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_inherited_limit_on_cpu_time_is_not_forgotten() {
    let within = ["prlimit", "--cpu=50:60"];
    let other = ["--rlimits", "core 0 0"];
    let limits = shown(captured(&other).via(&within), "limits");
    assert_eq!(limit(&limits, "Max cpu time"), ("50".into(), "60".into()));
    let lower = ["--rlimits", "cpu 1 2"];
    let limits = shown(captured(&lower).via(&within), "limits");
    assert_eq!(limit(&limits, "Max cpu time"), ("1".into(), "2".into()));
    // The kernel sends SIGXCPU at the soft limit.
    let outcome = captured(&lower).sh("while :; do :; done").run();
    let report = outcome.report();
    assert_eq!((report.how, i32::from(report.code)), (1, libc::SIGXCPU));
}

#[test]
fn too_little_room_for_arguments_is_an_error_of_the_limit() {
    let long = "x".repeat(100_000);
    let arguments: Vec<&str> = ["true"].into_iter().chain([long.as_str(); 4]).collect();
    let flags = ["--rlimits", "stack 131072 131072"];
    let outcome = captured(&flags).program(&arguments).run();
    let failed = outcome.failure();
    assert_eq!(
        (failed.step.as_str(), failed.errno),
        ("rlimits", libc::E2BIG)
    );
    assert!(failed.advice.contains("raise stack"), "{failed:?}");
}

#[test]
fn an_environment_may_be_empty_but_for_what_is_set() {
    let outcome = captured(&["--clear-env", "1"]).program(&["env"]).run();
    assert_eq!((outcome.code(), outcome.text().as_str()), (0, ""));
}

// As root

#[test]
#[ignore = "needs root"]
fn root_may_raise_the_priority_also_of_another_user() {
    for flags in [&[][..], &["--uid", "12345"]] {
        let flags = [flags, &["--nice", "-5"]].concat();
        assert_eq!(niceness(&shown(captured(&flags), "stat")), -5);
    }
}

/// Root in a container may lack it.
fn may_raise_limits() -> bool {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    u64::from_str_radix(&field(&status, "CapEff"), 16).unwrap() & SYS_RESOURCE != 0
}

#[test]
#[ignore = "needs root"]
fn root_may_raise_limits_also_for_another_user_with_the_capability() {
    const LIMITS: &str = "core 5 7,msgqueue unlimited unlimited,nofile unlimited unlimited";
    let within = [
        "prlimit",
        "--core=0:0",
        "--nofile=256:256",
        "--msgqueue=1:1",
    ];
    for flags in [&[][..], &["--uid", "12345"]] {
        let score = captured(&[flags, &["--oom-score-adj", "-100"]].concat());
        let limits = captured(&[flags, &["--rlimits", LIMITS]].concat()).via(&within);
        if !may_raise_limits() {
            refused(&score.program(&["true"]).run(), "oom_score_adj", EACCES);
            refused(&limits.program(&["true"]).run(), "rlimits", EPERM);
            continue;
        }
        assert_eq!(shown(score, "oom_score_adj"), "-100\n");
        let limits = shown(limits, "limits");
        let core = limit(&limits, "Max core file size");
        assert_eq!(core, ("5".into(), "7".into()));
        let most = fs::read_to_string("/proc/sys/fs/nr_open").unwrap();
        assert_eq!(limit(&limits, "Max open files").0, most.trim());
        let unlimited = || "unlimited".to_owned();
        let queues = limit(&limits, "Max msgqueue size");
        assert_eq!(queues, (unlimited(), unlimited()));
    }
}

#[test]
#[ignore = "needs root"]
fn nofile_without_a_limit_is_the_most_that_is_possible() {
    let most = fs::read_to_string("/proc/sys/fs/nr_open").unwrap();
    let limits = shown(captured(&[]), "limits");
    if limit(&limits, "Max open files").1 == most.trim() || may_raise_limits() {
        let flags = ["--rlimits", "nofile 9 unlimited"];
        let limits = shown(captured(&flags), "limits");
        let expected = ("9".to_owned(), most.trim().to_owned());
        assert_eq!(limit(&limits, "Max open files"), expected);
    }
}

#[test]
#[ignore = "needs root"]
fn more_processes_than_the_limit_of_a_user() {
    let user = ["--uid", "54321"];
    // The option does not keep the program itself from starting.
    let flags = [&user[..], &["--rlimits", "nproc 0 0"]].concat();
    let outcome = captured(&flags).sh("(true); echo no").run();
    assert_eq!(outcome.text(), "");
    // An inherited limit does.
    let other = captured(&user)
        .sh("echo up; exec sleep 1000")
        .start_until("up");
    let within = ["prlimit", "--nproc=0:10"];
    let run = |flags: &[&str]| captured(flags).program(&["true"]).via(&within).run();
    let failed = refused(&run(&user), "rlimits", libc::EAGAIN);
    assert!(failed.advice.contains("nproc"), "{failed:?}");
    // Unless the option is higher.
    let flags = [&user[..], &["--rlimits", "nproc 10 10"]].concat();
    assert_eq!(run(&flags).code(), 0);
    drop(other);
}

#[test]
#[ignore = "needs root and a parent-death signal"]
fn only_these_capabilities_remain() {
    for flags in [&[][..], &["--uid", "12345"], &["--no-new-privs", "1"]] {
        let with = |set| {
            shown(
                captured(&[flags, &["--capabilities", set]].concat()),
                "status",
            )
        };
        assert_capabilities(&with(""), NO_CAPABILITIES);
        assert_capabilities(&with("kill,sys_nice"), "0000000000800020");
    }
    // The program keeps its parent-death signal, and is stopped as any other.
    let flags = ["--uid", "12345", "--capabilities", "net_raw"];
    let owner = captured(&flags)
        .sh("echo up; sleep 1000 & wait")
        .start_until("up");
    owner.signal_helper(nix::sys::signal::Signal::SIGKILL);
    let program = owner.program;
    crate::processes::eventually("the program dies", || !crate::processes::is_alive(program));
    drop(owner);
}

#[test]
#[ignore = "needs root and setpriv"]
fn capabilities_that_are_not_there_are_refused() {
    let without = [
        "setpriv",
        "--bounding-set=-sys_time",
        "--inh-caps=-sys_time",
    ];
    let flags = ["--capabilities", "sys_time"];
    let outcome = captured(&flags).program(&["true"]).via(&without).run();
    refused(&outcome, "capabilities", EPERM);
}

#[test]
#[ignore = "needs root"]
fn variables_of_a_login_are_those_of_the_user() {
    let flags = ["--uid", "nobody", "--login-env", "1", "--clear-env", "1"];
    let outcome = captured(&flags).program(&["env"]).run();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd
        .lines()
        .find(|line| line.starts_with("nobody:"))
        .unwrap();
    let fields: Vec<&str> = entry.split(':').collect();
    let expected = [
        format!("HOME={}", fields[5]),
        "USER=nobody".to_owned(),
        "LOGNAME=nobody".to_owned(),
        format!("SHELL={}", fields[6]),
    ];
    let text = outcome.text();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    let outcome = captured(&["--uid", "12345", "--login-env", "1"])
        .program(&["true"])
        .run();
    let failed = refused(&outcome, "login_env", 0);
    assert!(failed.message.contains("12345"), "{failed:?}");
}
