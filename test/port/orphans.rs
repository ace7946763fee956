// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `orphans: leave`: what a program leaves behind when it exits by itself stays alive.

use crate::frames::{self, Frame, Report};
use crate::harness::{Owner, captured};
use crate::processes::eventually;

/// Ends the helper, and checks that exactly this many processes stay alive.
#[track_caller]
fn left_behind(mut owner: Owner, count: usize) -> Report {
    let last = owner.read_to_last();
    let Some(Frame::Exited(report)) = last else {
        panic!("{last:?}: {}", owner.errors());
    };
    let (_, mark) = owner.end_with_survivors();
    mark.wait_for(count);
    report
}

#[test]
fn a_background_child_is_left() {
    let owner = captured(&["--orphans", "leave"])
        .sh("sleep 1000 & sleep 1000 & exit 3")
        .start();
    let report = left_behind(owner, 2);
    assert_eq!((report.how, report.code, report.swept), (0, 3, 0));
}

#[test]
fn a_daemon_is_left() {
    let mut owner = captured(&["--orphans", "leave"])
        .odd("daemon leave")
        .start_until("ready");
    owner.send(&frames::input_eof());
    let report = left_behind(owner, 1);
    assert_eq!(report.swept, 0);
}

#[test]
fn a_program_that_was_killed_leaves_its_own_too() {
    let owner = captured(&["--orphans", "leave"])
        .sh("sleep 1000 & kill -9 $$")
        .start();
    let report = left_behind(owner, 1);
    assert_eq!((report.how, report.code), (1, 9));
}

#[test]
fn the_programs_own_output_is_complete() {
    let mut owner = captured(&["--orphans", "leave"])
        .sh("sleep 1000 & exec seq 1 20000")
        .start();
    owner.read_to_last();
    assert_eq!(owner.stdout.len(), 108_894);
    left_behind(owner, 1);
}

#[test]
fn one_that_goes_on_writing_does_not_hold_anything_up() {
    for acks in [true, false] {
        let mut owner = captured(&["--orphans", "leave"])
            .sh("echo first; yes & exit 0")
            .start();
        // Without an acknowledgement, the pipe is full again each time.
        owner.acks = acks;
        let mut frames = 0;
        while !matches!(owner.next(), Some(Frame::Exited(_))) {
            eventually("yes catches up", || acks || all_asleep(&owner));
            owner.ack_all();
            frames += 1;
            assert!(frames < 1000, "it goes on for ever");
        }
        assert!(owner.stdout.starts_with(b"first\n"));
        // Nothing comes after EXITED, whatever it writes.
        eventually("yes is blocked", || all_asleep(&owner));
        let (outcome, mark) = owner.end_with_survivors();
        assert_eq!(outcome.code(), 0);
        // Its pipe is gone.
        mark.wait_for(0);
    }
}

/// Whether the helper and all other processes sleep.
fn all_asleep(owner: &Owner) -> bool {
    owner
        .mark
        .alive()
        .iter()
        .all(|process| process.state == b'S')
}

#[test]
fn one_that_goes_on_writing_and_an_owner_that_discards() {
    let mut owner = captured(&["--orphans", "leave"])
        .sh("echo ready; read x; yes & yes & yes & yes & exit 0")
        .start_until("ready");
    owner.send(&frames::discard());
    owner.send(&frames::input_eof());
    owner.read_to_last();
    owner.end_with_survivors();
}

#[test]
fn stopping_takes_everything() {
    let mut owner = captured(&["--orphans", "leave"])
        .sh("sleep 1000 & echo ready; wait")
        .start_until("ready");
    owner.send(&frames::stop());
    assert_eq!(owner.finish().report().swept, 1);
}

#[test]
fn a_signal_to_the_helper_takes_everything() {
    let owner = captured(&["--orphans", "leave"])
        .sh("sleep 1000 & echo ready; wait")
        .start_until("ready");
    owner.signal_helper(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(owner.finish().report().swept, 1);
}

#[test]
fn the_default_is_to_kill_them() {
    let outcome = captured(&["--orphans", "kill"])
        .sh("sleep 1000 & exit 0")
        .run();
    assert_eq!(outcome.report().swept, 1);
}
