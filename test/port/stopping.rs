// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Stopping the program: signals, deadlines, and programs that ignore them.

use crate::frames::{self, Report};
use crate::harness::{Owner, captured};
use crate::output::seq;
use crate::processes::{eventually, state};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use std::io::Write;

/// Waits for `wait` in the shell, so that traps run at once.
const IDLE: &str = "sleep 1000 & while :; do wait; done";

fn stop_and_finish(mut owner: Owner) -> Report {
    owner.send(&frames::stop());
    let report = owner.finish().report().clone();
    assert!(report.has(Report::STOPPED));
    report
}

#[test]
fn sigterm_is_what_stops_it() {
    let owner = captured(&[])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    let report = stop_and_finish(owner);
    assert_eq!((report.how, report.code), (1, 15));
    assert!(!report.has(Report::NEEDED_SIGKILL));
}

#[test]
fn a_program_may_take_its_time() {
    let script = format!("trap 'sleep 0.3; exit 7' TERM; echo ready; {IDLE}");
    let owner = captured(&["-k", "60000"]).sh(&script).start_until("ready");
    let report = stop_and_finish(owner);
    assert_eq!((report.how, report.code), (0, 7));
    assert!(!report.has(Report::NEEDED_SIGKILL));
}

#[test]
fn at_the_deadline_it_is_killed() {
    let script = format!("trap '' TERM; echo ready; {IDLE}");
    let owner = captured(&["-k", "300"]).sh(&script).start_until("ready");
    let report = stop_and_finish(owner);
    assert_eq!((report.how, report.code), (1, 9));
    assert!(report.has(Report::NEEDED_SIGKILL));
    assert!(report.wall_us >= 300_000, "killed too early");
}

#[test]
fn without_a_delay_it_is_killed_at_once() {
    let script = format!("trap '' TERM; echo ready; {IDLE}");
    let owner = captured(&["-k", "0"]).sh(&script).start_until("ready");
    let report = stop_and_finish(owner);
    assert_eq!((report.how, report.code), (1, 9));
    assert!(report.has(Report::NEEDED_SIGKILL));
}

#[test]
fn the_longest_delay_is_not_too_long_to_compute() {
    let owner = captured(&["-k", "4294967295"])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    assert_eq!(stop_and_finish(owner).code, 15);
}

#[test]
fn a_second_stop_changes_nothing() {
    let script = format!("trap 'echo once' TERM; echo ready; {IDLE}");
    let mut owner = captured(&["-k", "3000"]).sh(&script).start_until("ready");
    owner.send(&frames::stop());
    owner.read_until("once");
    owner.send(&frames::stop());
    owner.signal_helper(Signal::SIGTERM);
    let outcome = owner.finish();
    assert_eq!(outcome.text(), "ready\nonce\n");
    assert_eq!(outcome.report().code, 9);
}

#[test]
fn the_stop_signal_can_be_chosen() {
    for (given, number) in [
        ("SIGINT", 2),
        ("usr1", 10),
        ("9", 9),
        ("34", 34),
        ("64", 64),
    ] {
        // A shell without job control has children that ignore SIGINT, so the program itself waits.
        let owner = captured(&["--stop-signal", given])
            .sh("echo ready; exec sleep 1000")
            .start_until("ready");
        let report = stop_and_finish(owner);
        assert_eq!((report.how, report.code), (1, number), "{given}");
        assert!(!report.has(Report::NEEDED_SIGKILL), "{given}");
    }
}

#[test]
fn a_stop_signal_that_does_not_stop() {
    let owner = captured(&["--stop-signal", "CONT", "-k", "50"])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    let report = stop_and_finish(owner);
    assert_eq!(report.code, 9);
    assert!(report.has(Report::NEEDED_SIGKILL));
}

#[test]
fn signals_to_the_helper_stop_the_program() {
    let signals = [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ];
    for signal in signals {
        let owner = captured(&[])
            .sh("echo ready; exec sleep 1000")
            .start_until("ready");
        owner.signal_helper(signal);
        let outcome = owner.finish();
        assert_eq!(outcome.report().status(), 128 + 15, "{signal}");
        assert!(outcome.report().has(Report::STOPPED));
    }
}

#[test]
fn a_signal_to_the_helper_right_after_its_start() {
    for _ in 0..50 {
        let mut owner = captured(&[]).program(&["sleep", "1000"]).start();
        owner.read_started();
        owner.signal_helper(Signal::SIGTERM);
        assert!(owner.finish().report().has(Report::STOPPED));
    }
}

#[test]
fn blocked_on_a_full_pipe() {
    let mut owner = captured(&[]).program(&["yes"]).start();
    owner.acks = false;
    owner.read_started();
    let program = owner.program;
    crate::containment::wait_until_blocked(&mut owner, program);
    owner.send(&frames::stop());
    eventually("the program is gone", || {
        owner.mark.alive_besides(&[owner.pid]).is_empty()
    });
    owner.acks = true;
    owner.ack_all();
    assert_eq!(owner.finish().report().code, 15);
}

#[test]
fn a_flush_on_sigterm_larger_than_window_and_pipe() {
    let script = format!("trap 'seq 1 50000; exit 3' TERM; echo ready; {IDLE}");
    let mut owner = captured(&["-k", "60000"]).sh(&script).start_until("ready");
    owner.send(&frames::stop());
    let outcome = owner.finish();
    assert_eq!(
        outcome.text(),
        format!(
            "ready
{}",
            seq(50_000)
        )
    );
    assert_eq!(outcome.code(), 3);
}

#[test]
fn a_flush_that_nobody_reads_any_more() {
    let script = format!("trap 'seq 1 50000; touch \"$DONE\"; exit 3' TERM; echo ready; {IDLE}");
    let directory = tempfile::tempdir().unwrap();
    let done = directory.path().join("done");
    let owner = captured(&["-k", "60000"])
        .sh(&script)
        .env("DONE", &done)
        .start_until("ready");
    owner.end();
    assert!(done.exists(), "the program was not left to finish");
}

#[test]
fn a_signal_frame_is_sent_on() {
    let script = format!("trap 'echo usr1' USR1; echo ready; {IDLE}");
    let mut owner = captured(&[]).sh(&script).start_until("ready");
    owner.send(&frames::signal(10));
    owner.read_until("usr1");
    owner.send(&frames::signal(9));
    let outcome = owner.finish();
    assert_eq!(outcome.report().status(), 128 + 9);
    assert!(!outcome.report().has(Report::STOPPED));
}

#[test]
fn a_signal_frame_after_the_end_is_silent() {
    let mut owner = captured(&[]).program(&["true"]).start();
    owner.read_to_last();
    owner.send(&frames::signal(9));
    owner.send(&frames::stop());
    owner.send(&frames::discard());
    assert_eq!(owner.finish().errors, "");
}

#[test]
fn stopped_and_continued_it_goes_on() {
    let mut owner = captured(&[])
        .sh("echo ready; i=0; while read x; do i=$((i+1)); echo line $i; done; exit 5")
        .start_until("ready");
    for round in 1..=20 {
        owner.send(&frames::signal(19));
        eventually("it is stopped", || state(owner.program) == b'T');
        owner.send(&frames::input(b"x\n"));
        owner.send(&frames::signal(18));
        owner.read_until(&format!("line {round}\n"));
    }
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_eq!(outcome.code(), 5);
    assert_eq!(outcome.text().lines().count(), 21);
}

#[test]
fn job_control_among_descendants_is_noise() {
    let script = "sleep 1000 & i=0
        while [ $i -lt 300 ]; do kill -STOP $!; kill -CONT $!; echo $i; i=$((i+1)); done
        kill -STOP $!; exit 6";
    let outcome = captured(&[]).sh(script).run();
    assert_eq!(outcome.code(), 6);
    assert_eq!(outcome.text().lines().count(), 300);
    assert_eq!(outcome.report().swept, 1);
}

#[test]
fn stopped_by_somebody_else_it_can_still_be_stopped() {
    for _ in 0..10 {
        let owner = captured(&["-k", "60000"])
            .sh("echo ready; exec sleep 1000")
            .start_until("ready");
        owner.signal_program(Signal::SIGSTOP);
        let report = stop_and_finish(owner);
        assert_eq!((report.how, report.code), (1, 15));
    }
}

#[test]
fn a_program_that_goes_on_stopping_itself_is_killed() {
    let script = "trap 'kill -STOP $$' TERM CONT; echo ready; while :; do sleep 0.01; done";
    let owner = captured(&["-k", "200"]).sh(script).start_until("ready");
    let report = stop_and_finish(owner);
    assert_eq!((report.how, report.code), (1, 9));
}

#[test]
fn a_stop_at_any_moment() {
    for _ in 0..100 {
        let mut owner = captured(&[]).sh("echo out; exit 3").start();
        owner.send(&frames::stop());
        let outcome = owner.finish();
        let report = outcome.report();
        let stopped = (report.how, report.code) == (1, 15) && report.has(Report::STOPPED);
        let exited = (report.how, report.code) == (0, 3) && outcome.text() == "out\n";
        assert!(stopped || exited, "{outcome:?}");
    }
}

#[test]
fn an_owner_that_talks_without_a_pause_does_not_put_off_the_deadline() {
    let script = format!("trap '' TERM CONT; echo ready; {IDLE}");
    let mut owner = captured(&["-k", "200"]).sh(&script).start_until("ready");
    let mut input = owner.input.take().unwrap();
    let talk = std::thread::spawn(move || {
        let signals = frames::signal(18).repeat(500);
        input.write_all(&frames::stop()).unwrap();
        while input.write_all(&signals).is_ok() {}
    });
    // The helper stays until its owner closes the stream, but the program is gone.
    assert!(matches!(
        owner.read_to_last(),
        Some(frames::Frame::Exited(_))
    ));
    owner.assert_only_the_helper_is_left();
    owner.signal_helper(Signal::SIGKILL);
    talk.join().unwrap();
}

#[test]
fn a_program_that_writes_without_a_pause_does_not_put_off_the_deadline() {
    let window = ["--stdio-window", "4294967295", "-k", "100"];
    let mut owner = captured(&window)
        .sh("trap '' TERM; echo ready; while :; do head -c 1000000 /dev/zero; done")
        .start_until("ready");
    owner.acks = false;
    owner.send(&frames::stop());
    while !matches!(owner.next(), Some(frames::Frame::Exited(_))) {
        owner.stdout.clear();
    }
    assert!(owner.finish().report().has(Report::NEEDED_SIGKILL));
}

#[test]
fn a_stop_in_the_last_of_several_packets_is_read() {
    let mut owner = captured(&[]).program(&["sleep", "1000"]).start();
    owner.read_started();
    // One event for all: pipe(2), epoll(7).
    owner.signal_helper(Signal::SIGSTOP);
    eventually("it is stopped", || state(owner.pid) == b'T');
    let input = owner.input.as_ref().unwrap();
    fcntl(input, FcntlArg::F_SETFL(OFlag::O_DIRECT)).unwrap();
    owner.send(&frames::discard());
    owner.send(&frames::discard());
    owner.send(&frames::stop());
    owner.signal_helper(Signal::SIGCONT);
    owner.finish();
}
