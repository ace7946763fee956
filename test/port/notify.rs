// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Notifications of the program, as `sd_notify(3)` sends them.

use crate::frames::{self, Frame};
use crate::harness::{Owner, captured};
use crate::odd_notifiers::send;
use std::process::Command;

fn start(by: &str) -> (Owner, String) {
    let owner = captured(&["--notify", "1"])
        .odd(&format!("notify {by}"))
        .start_until(".\n");
    let name = String::from_utf8(owner.stdout.clone()).unwrap();
    let name = name.strip_prefix("socket ").unwrap();
    let name = name.strip_suffix(".\n").unwrap().to_owned();
    (owner, name)
}

fn next_notification(owner: &mut Owner) -> String {
    loop {
        match owner.next() {
            Some(Frame::Notify(bytes)) => return String::from_utf8(bytes).unwrap(),
            Some(Frame::Stdout(_) | Frame::InputAck { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn acknowledged(owner: &mut Owner) -> String {
    let text = next_notification(owner);
    owner.send(&frames::notify_ack());
    text
}

#[test]
fn a_program_and_its_children_notify_the_owner() {
    for by in ["itself", "child"] {
        let (mut owner, _) = start(by);
        owner.send(&frames::input(b"READY=1\nSTATUS=fine\n"));
        assert_eq!(acknowledged(&mut owner), "READY=1", "{by}");
        assert_eq!(acknowledged(&mut owner), "STATUS=fine", "{by}");
        owner.send(&frames::input_eof());
        owner.finish();
    }
}

#[test]
fn one_is_on_its_way_at_a_time() {
    let (mut owner, _) = start("itself");
    owner.send(&frames::input(b"one\ntwo\n"));
    assert_eq!(next_notification(&mut owner), "one");
    owner.read_until("sent two");
    owner.send(&frames::input(b"three\n"));
    owner.read_until("sent three");
    owner.send(&frames::notify_ack());
    assert_eq!(next_notification(&mut owner), "two");
    owner.send(&frames::notify_ack());
    assert_eq!(acknowledged(&mut owner), "three");
    owner.send(&frames::input_eof());
    owner.finish();
}

#[test]
fn strangers_are_not_heard() {
    let (mut owner, name) = start("itself");
    send(&name, "READY=1");
    owner.send(&frames::input(b"STATUS=mine\n"));
    assert_eq!(acknowledged(&mut owner), "STATUS=mine");
    owner.send(&frames::input_eof());
    owner.finish();
}

#[test]
fn what_is_too_long_is_left_out() {
    let (mut owner, _) = start("itself");
    let long = "x".repeat(4097);
    let longest = "y".repeat(4096);
    owner.send(&frames::input(format!("{long}\n{longest}\n").as_bytes()));
    assert_eq!(acknowledged(&mut owner), longest);
    owner.send(&frames::input_eof());
    owner.finish();
}

#[test]
fn a_barrier_is_passed_when_all_was_received() {
    let (mut owner, _) = start("itself");
    owner.send(&frames::input(b"BARRIER\n"));
    assert_eq!(acknowledged(&mut owner), "BARRIER");
    assert_eq!(acknowledged(&mut owner), "BARRIER=1");
    owner.read_until("sent BARRIER");
    owner.send(&frames::input_eof());
    owner.finish();
}

/// The kernel leaves out descriptors for which the receiver has no room.
#[test]
fn descriptors_that_cannot_be_received_are_left_out() {
    let (mut owner, _) = start("itself");
    let session = format!("--pid={}", owner.pid);
    let limit = |limit: &str| {
        let set = Command::new("prlimit").args([&session, limit]).status();
        assert!(set.unwrap().success());
    };
    limit("--nofile=3:");
    owner.send(&frames::input(b"BARRIER\n"));
    assert_eq!(acknowledged(&mut owner), "BARRIER");
    owner.read_until("sent BARRIER");
    limit("--nofile=1000:");
    owner.send(&frames::input(b"READY=1\n"));
    assert_eq!(acknowledged(&mut owner), "READY=1");
    owner.send(&frames::input_eof());
    owner.finish();
}

#[test]
fn a_program_that_notifies_without_a_pause_waits_and_can_be_stopped() {
    let (mut owner, _) = start("itself");
    let lines = "STATUS=x\n".repeat(10_000);
    owner.send(&frames::input(lines.as_bytes()));
    assert_eq!(next_notification(&mut owner), "STATUS=x");
    owner.send(&frames::stop());
    while let Some(frame) = owner.next() {
        assert!(!matches!(frame, Frame::Notify(_)));
        if matches!(frame, Frame::Exited(_)) {
            break;
        }
    }
    assert_eq!(owner.end().report().code, 15);
}

#[test]
fn nobody_is_kept_waiting_after_discard() {
    let (mut owner, _) = start("itself");
    owner.send(&frames::input(b"one\n"));
    assert_eq!(next_notification(&mut owner), "one");
    owner.send(&frames::discard());
    owner.send(&frames::input("STATUS=x\n".repeat(10_000).as_bytes()));
    owner.send(&frames::input_eof());
    assert_eq!(owner.finish().code(), 0);
}

#[test]
fn an_acknowledgement_of_nothing_is_a_protocol_error() {
    let mut owner = captured(&[]).program(&["sleep", "1000"]).start();
    owner.read_started();
    owner.send(&frames::notify_ack());
    assert_eq!(owner.end().status.code(), Some(125));
}

#[test]
fn the_program_knows_its_own_pid_with_a_watchdog_alone() {
    let flags = ["--notify", "1", "--variable", "WATCHDOG_USEC=5000000"];
    let script = "[ $WATCHDOG_PID = $$ ] && echo $WATCHDOG_USEC";
    let own = captured(&flags).env("WATCHDOG_PID", "1").sh(script).run();
    assert_eq!(own.text(), "5000000\n");
    let script = "echo ${NOTIFY_SOCKET%%[0-9a-f]*} ${WATCHDOG_PID-unset}";
    let none = captured(&["--notify", "1"])
        .env("WATCHDOG_PID", "1")
        .sh(script);
    assert_eq!(none.run().text(), "@ unset\n");
}
