// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Protocol errors: the helper reports them and stops the program.

use crate::frames;
use crate::harness::{Outcome, Owner, captured};

fn running() -> Owner {
    captured(&["-k", "200"])
        .sh("echo ready; sleep 1000 & wait")
        .start_until("ready")
}

#[track_caller]
fn assert_violation(outcome: &Outcome, what: &str) {
    assert_eq!(outcome.status.code(), Some(125), "{what}");
    assert!(outcome.last.is_none(), "{what}: {:?}", outcome.last);
    let errors = &outcome.errors;
    assert!(
        errors.contains("muontrap: protocol error"),
        "{what}: {errors}"
    );
}

/// Sends it to a running program. The helper has to exit although its stdin stays open.
#[track_caller]
fn refused(bytes: &[u8], what: &str) -> Outcome {
    let mut owner = running();
    owner.send(bytes);
    owner.read_to_last();
    crate::processes::eventually("the helper exits", || owner.has_exited());
    let outcome = owner.end();
    assert_violation(&outcome, what);
    outcome
}

#[test]
fn unknown_tags() {
    for tag in [0x00, 0x07, 0x7f, 0x80, 0x81, 0x82, 0x85, 0xff] {
        let outcome = refused(&frames::frame(tag, b"x"), "unknown tag");
        let named = format!("{tag:#04x}");
        assert!(outcome.errors.contains(&named), "{}", outcome.errors);
    }
}

#[test]
fn an_empty_frame() {
    refused(&[0, 0, 0, 0], "no tag");
}

#[test]
fn payloads_of_the_wrong_size() {
    refused(&frames::frame(0x01, &[0, 0, 1]), "a short ACK");
    refused(&frames::frame(0x01, &[0, 0, 0, 0, 1]), "a long ACK");
    refused(&frames::frame(0x01, &[]), "an empty ACK");
    refused(&frames::frame(0x02, &[]), "an empty SIGNAL");
    refused(&frames::frame(0x02, &[15, 15]), "a long SIGNAL");
    refused(&frames::frame(0x03, &[0]), "STOP with a payload");
    refused(&frames::frame(0x05, &[0]), "INPUT_EOF with a payload");
    refused(&frames::frame(0x06, &[0]), "DISCARD with a payload");
}

#[test]
fn signals_that_do_not_exist() {
    for number in [0, 65, 128, 255] {
        refused(&frames::signal(number), "SIGNAL");
    }
}

#[test]
fn frames_over_a_mebibyte() {
    for length in [(1_u32 << 20) + 1, 1 << 24, u32::MAX] {
        let outcome = refused(&length.to_be_bytes(), "too long");
        assert!(outcome.errors.contains(&length.to_string()));
    }
}

#[test]
fn acknowledging_what_never_came() {
    refused(&frames::ack(1), "an ACK of 1");
    refused(&frames::ack(u32::MAX), "an ACK of 4294967295");
}

#[test]
fn acknowledging_more_than_came() {
    let mut owner = captured(&[]).program(&["yes"]).start();
    owner.acks = false;
    while owner.in_flight == 0 {
        owner.next();
    }
    owner.send(&frames::ack(10_241));
    while owner.next().is_some() {}
    assert_violation(&owner.end(), "ACK overrun");
}

#[test]
fn acknowledging_twice_after_the_end() {
    let mut owner = captured(&[]).sh("echo hello; exit 3").start();
    owner.acks = false;
    owner.read_to_last();
    owner.ack_all();
    owner.send(&frames::ack(1));
    crate::processes::eventually("the helper exits", || owner.has_exited());
    assert!(owner.errors().contains("protocol error"));
}

#[test]
fn an_ack_of_nothing_is_no_error() {
    let mut owner = running();
    owner.send(&frames::ack(0));
    owner.send(&frames::stop());
    assert_eq!(owner.finish().errors, "");
}

#[test]
fn input_after_its_end() {
    let bytes = [frames::input_eof(), frames::input(b"x")].concat();
    refused(&bytes, "INPUT after INPUT_EOF");
}

#[test]
fn input_beyond_its_window() {
    let mut owner = running();
    let chunk = vec![b'x'; 1 << 19];
    owner.send(&frames::input(&chunk));
    owner.send(&frames::input(&chunk));
    // More than the window and the program's pipe, from which nothing reads.
    owner.send(&frames::input(&chunk));
    while owner.next().is_some() {}
    assert_violation(&owner.end(), "INPUT overrun");
}

#[test]
fn what_came_before_the_mistake_was_obeyed() {
    let mut owner = captured(&["-k", "60000"])
        .sh("trap 'echo usr1 >&2' USR1; trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
        .start_until("ready");
    owner.send(&[frames::signal(10), frames::ack(1)].concat());
    let outcome = owner.end();
    assert_violation(&outcome, "after a signal");
    assert!(outcome.errors.contains("usr1"), "{}", outcome.errors);
}

#[test]
fn a_program_that_will_not_stop_is_killed_then_too() {
    let mut owner = captured(&["-k", "200"])
        .sh("trap '' TERM; echo ready; yes & while :; do sleep 1; done")
        .start_until("ready");
    owner.send(&frames::frame(0x77, &[]));
    while owner.next().is_some() {}
    assert_violation(&owner.end(), "ignoring SIGTERM");
}
