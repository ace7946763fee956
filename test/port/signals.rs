// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Signals to the helper that are ignored. Those that stop the program are in `stopping.rs`, `plain.rs` and
//! `terminal.rs`.

use crate::frames;
use crate::harness::{Owner, Setup, captured, plain};
use crate::processes::{eventually, is_alive, state};
use std::fs;

/// They stop the program.
const STOP: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];
const JOB_CONTROL: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
/// They can be neither caught nor blocked.
const UNCATCHABLE: [i32; 2] = [libc::SIGKILL, libc::SIGSTOP];

/// The C library reserves some signals, and does not block them.
fn meaningless() -> impl Iterator<Item = i32> {
    (1..=64).filter(|signal| !STOP.contains(signal) && !UNCATCHABLE.contains(signal))
}

#[track_caller]
fn send(owner: &Owner, signal: i32) {
    let sent = std::process::Command::new("kill")
        .args([format!("-{signal}"), owner.pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "signal {signal}");
}

fn program() -> Setup {
    captured(&["-k", "60000"]).sh("setsid sleep 1000 & trap 'exit 3' TERM; echo ready; wait")
}

#[test]
fn a_signal_that_means_nothing_is_ignored() {
    for signal in meaningless() {
        let mut owner = program().start_until("ready");
        send(&owner, signal);
        // The signal was delivered before this is read.
        owner.send(&frames::stop());
        let outcome = owner.finish();
        assert_eq!(outcome.code(), 3, "signal {signal}: {}", outcome.errors);
    }
}

#[test]
fn all_of_them_at_once_are_ignored_in_each_state() {
    let mut owner = captured(&["-k", "60000"])
        .sh("trap 'seq 1 20000; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
        .start_until("ready");
    let all = |owner: &Owner| meaningless().for_each(|signal| send(owner, signal));
    all(&owner);
    owner.send(&frames::stop());
    owner.read_until("\n17\n");
    all(&owner);
    owner.read_to_last();
    all(&owner);
    assert!(is_alive(owner.pid));
    assert_eq!(owner.finish().code(), 3);
}

#[test]
fn signals_of_job_control_do_not_stop_it() {
    for signal in JOB_CONTROL {
        let owner = program().start_until("ready");
        send(&owner, signal);
        assert!(matches!(state(owner.pid), b'S' | b'R' | b'D'), "{signal}");
        send(&owner, libc::SIGTERM);
        assert_eq!(owner.finish().code(), 3);
    }
}

#[test]
fn without_frames_too() {
    let mut owner = plain(&["-k", "60000"])
        .sh("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done")
        .start();
    while !owner.bytes.ends_with(b"ready\n") {
        assert!(owner.read_some());
    }
    let meaningless = meaningless().filter(|signal| !JOB_CONTROL.contains(signal));
    meaningless.for_each(|signal| send(&owner, signal));
    send(&owner, libc::SIGTERM);
    eventually("the helper exits", || owner.has_exited());
    assert_eq!(owner.end().status.code(), Some(3));
}

/// CPU time of a process in seconds.
fn cpu_time(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields = fields.split_ascii_whitespace().skip(11).take(2);
    fields
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum::<u64>()
        / 100
}

/// Makes the helper use CPU time by empty acknowledgements.
fn give_work(owner: &mut Owner) {
    owner.send(&frames::ack(0).repeat(400));
}

/// With this limit on CPU time, and without the capability to raise it.
fn limited(limit: &str, setup: Setup) -> Setup {
    let script = format!("ulimit {limit}; exec \"$@\"");
    let shell = ["sh", "-c", script.as_str(), "sh"];
    if nix::unistd::Uid::effective().is_root() {
        let dropped = ["setpriv", "--bounding-set=-sys_resource"];
        setup.via(&[&dropped[..], &shell].concat())
    } else {
        setup.via(&shell)
    }
}

#[test]
fn a_soft_limit_of_cpu_time_is_the_programs_alone() {
    let script = "ulimit -St; ulimit -Ht; exec sleep 1000";
    let mut owner = limited("-St 1", captured(&[]).sh(script)).start();
    owner.read_until("1\nunlimited\n");
    while cpu_time(owner.pid) < 2 {
        give_work(&mut owner);
    }
    owner.send(&frames::stop());
    assert_eq!(owner.finish().report().status(), 128 + 15);
}

#[test]
fn a_hard_limit_of_cpu_time_ends_the_program_in_order() {
    let script = "ulimit -Ht; setsid sleep 1000 & exec sleep 1000";
    let mut owner = limited("-t 2", captured(&[]).sh(script)).start();
    owner.read_until("2\n");
    while !owner.has_more() {
        give_work(&mut owner);
    }
    let report = owner.finish();
    assert_eq!(report.report().status(), 128 + 15, "{}", report.errors);
    assert_eq!(report.report().swept, 1);
}
