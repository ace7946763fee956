// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The window is never exceeded, and output never stalls.

use crate::containment::wait_until_blocked;
use crate::frames;
use crate::harness::{Owner, captured};
use crate::output::seq;
use crate::processes::eventually;

/// An owner that acknowledges nothing by itself. It checks every frame against the window.
fn slow_owner(window: &str, program: &[&str]) -> Owner {
    let mut owner = captured(&["--stdio-window", window])
        .program(program)
        .start();
    owner.acks = false;
    owner.read_started();
    owner
}

#[test]
fn without_acknowledgement_the_program_blocks() {
    for window in ["1", "100", "10240", "1000000"] {
        let mut owner = slow_owner(window, &["yes"]);
        blocks_without_acknowledgement(&mut owner);
        owner.end();
    }
}

/// With an owner that acknowledges nothing by itself.
pub fn blocks_without_acknowledgement(owner: &mut Owner) {
    let program = owner.program;
    for _ in 0..3 {
        wait_until_blocked(owner, program);
        owner.ack_all();
        eventually("more comes", || owner.has_more());
    }
}

#[test]
fn acknowledged_byte_by_byte_everything_comes() {
    let mut owner = slow_owner("64", &["seq", "1", "300"]);
    while !matches!(owner.next(), Some(frames::Frame::Exited(_))) {
        for _ in 0..std::mem::take(&mut owner.in_flight) {
            owner.send(&frames::ack(1));
        }
    }
    assert_eq!(owner.finish().text(), seq(300));
}

#[test]
fn a_frame_may_come_in_pieces() {
    let mut owner = slow_owner("1024", &["seq", "1", "2000"]);
    while !matches!(owner.next(), Some(frames::Frame::Exited(_))) {
        let ack = frames::ack(std::mem::take(&mut owner.in_flight));
        for byte in ack {
            owner.send(&[byte]);
        }
    }
    assert_eq!(owner.finish().stdout.len(), 8893);
}

#[test]
fn both_streams_share_one_window() {
    // stderr alone is sent in STDERR frames, merged with stdout in STDOUT frames.
    for flag in ["--capture-stderr-only", "--capture-output"] {
        let mut owner =
            crate::harness::framed(&[flag, "--capture-stderr", "--stdio-window", "500"])
                .sh("exec yes >&2")
                .start();
        owner.acks = false;
        owner.read_started();
        let program = owner.program;
        wait_until_blocked(&mut owner, program);
        owner.end();
    }
}

#[test]
fn discarded_output_needs_no_acknowledgement() {
    let mut owner = slow_owner("10240", &["sh", "-c", "seq 1 100000; exit 9"]);
    let program = owner.program;
    wait_until_blocked(&mut owner, program);
    owner.send(&frames::discard());
    let came = owner.in_flight;
    let outcome = owner.finish();
    assert_eq!(outcome.code(), 9);
    assert_eq!(outcome.report().stdout_bytes, 588_895);
    assert_eq!(outcome.stdout.len(), came as usize);
}

#[test]
fn a_discarded_program_that_writes_for_ever_can_be_stopped() {
    let mut owner = slow_owner("10240", &["yes"]);
    owner.send(&frames::discard());
    owner.send(&frames::stop());
    assert_eq!(owner.finish().report().status(), 128 + 15);
}

#[test]
fn the_last_output_waits_for_the_owner() {
    let mut owner = slow_owner("100", &["seq", "1", "5000"]);
    eventually("the program is gone", || {
        while owner.has_more() {
            owner.next();
        }
        owner.mark.alive_besides(&[owner.pid]).is_empty()
    });
    assert!(owner.stdout.len() <= 100);
    owner.acks = true;
    owner.ack_all();
    assert_eq!(owner.finish().stdout.len(), 23_893);
}

#[test]
fn an_owner_that_reads_nothing_for_a_while_loses_nothing() {
    // Larger than all pipes and the helper's buffers, so that the pipe to the owner is what blocks.
    let mut owner = captured(&["--stdio-window", "4294967295"])
        .program(&["seq", "1", "1000000"])
        .start();
    owner.acks = false;
    eventually("nothing moves", || {
        let alive = owner.mark.alive();
        alive.len() == 2 && alive.iter().all(|process| process.state == b'S')
    });
    assert_eq!(owner.finish().stdout.len(), 6_888_896);
}
