// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! EXITED: how the program ended, and what it used.

use crate::frames;
use crate::frames::Report;
use crate::harness::captured;

#[test]
fn every_exit_code() {
    for code in 0..=255 {
        let outcome = captured(&[]).sh(&format!("exit {code}")).run();
        assert_eq!(outcome.code(), code);
        assert_eq!(outcome.status.code(), Some(code));
    }
}

#[test]
fn every_signal_that_ends_a_process() {
    // signal(7): those that stop it, and those that are ignored, do not.
    let harmless = [
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGURG,
        libc::SIGWINCH,
        libc::SIGSTOP,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ];
    for signal in (1..=64).filter(|signal| !harmless.contains(signal)) {
        let outcome = captured(&[]).odd(&format!("die {signal}")).run();
        let report = outcome.report();
        assert_eq!((report.how, i32::from(report.code)), (1, signal));
        assert_eq!(outcome.status.code(), Some(128 + signal));
        assert_eq!(report.flags & !1, 0, "only a core dump is possible");
    }
}

#[test]
fn signals_that_do_not_end_it() {
    for signal in [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH] {
        let outcome = captured(&[]).odd(&format!("die {signal}")).run();
        assert_eq!(outcome.code(), 0, "signal {signal}");
    }
}

#[test]
fn an_exit_code_that_looks_like_a_signal() {
    let outcome = captured(&[]).sh("exit 137").run();
    assert_eq!((outcome.report().how, outcome.report().code), (0, 137));
}

#[test]
fn times_and_memory() {
    let script =
        "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; head -c 1 /dev/zero > /dev/null";
    let outcome = captured(&[]).sh(script).run();
    let report = outcome.report();
    let used = report.user_us + report.system_us;
    assert!(used > 0);
    assert!(report.wall_us > 0 && report.wall_us < 600_000_000);
    assert!(report.peak_rss > 100_000 && report.peak_rss < 1 << 30);
    assert_eq!(report.cgroup_peak, u64::MAX);
}

#[test]
fn wall_time_ends_with_the_program() {
    let outcome = captured(&[]).sh("sleep 0.2").run();
    assert!(outcome.report().wall_us >= 200_000);
}

#[test]
fn bytes_of_each_stream() {
    let outcome = captured(&[]).sh("printf 12345; printf 678 >&2").run();
    let report = outcome.report();
    assert_eq!((report.stdout_bytes, report.stderr_bytes), (5, 0));
}

#[test]
fn who_was_swept() {
    let outcome = captured(&[]).sh("exit 0").run();
    assert_eq!(outcome.report().swept, 0);
    let outcome = captured(&[])
        .sh("sleep 1000 & sleep 1000 & sh -c 'sleep 1000 & wait' & exit 0")
        .run();
    assert!((3..=4).contains(&outcome.report().swept));
    assert_eq!(outcome.report().survivors, 0);
}

#[test]
fn a_stop_that_comes_too_late_is_none() {
    let mut owner = captured(&[]).sh("exit 3").start();
    owner.read_to_last();
    owner.send(&frames::stop());
    assert!(!owner.finish().report().has(Report::STOPPED));
}
