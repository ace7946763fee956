// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The owner disconnects in any state of a session, or the helper is killed, and the rest ends, too.

use crate::containment::wait_until_blocked;
use crate::frames;
use crate::harness::{captured, framed};
use crate::processes::{eventually, is_alive};
use nix::sys::signal::Signal;

#[test]
fn gone_before_the_program_starts() {
    for _ in 0..20 {
        let mut owner = captured(&[]).program(&["sleep", "1000"]).start();
        owner.input = None;
        owner.end();
    }
}

#[test]
fn gone_with_both_ends_before_the_program_starts() {
    for _ in 0..20 {
        let mut owner = captured(&[]).program(&["yes"]).start();
        owner.output = None;
        owner.end();
    }
}

#[test]
fn gone_while_the_program_runs() {
    let owner = captured(&[]).sh("echo ready; cat").start_until("ready");
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(128 + 15));
}

#[test]
fn gone_in_the_middle_of_a_frame() {
    let mut owner = captured(&[]).sh("echo ready; cat").start_until("ready");
    owner.send(&frames::input(b"hello")[..7]);
    owner.end();
}

#[test]
fn gone_while_the_program_writes() {
    let mut owner = captured(&[]).program(&["yes"]).start();
    for _ in 0..10 {
        owner.next();
    }
    owner.end();
}

#[test]
fn gone_while_the_program_is_blocked_in_write() {
    let mut owner = captured(&[]).program(&["yes"]).start();
    owner.acks = false;
    owner.read_started();
    let program = owner.program;
    wait_until_blocked(&mut owner, program);
    owner.end();
}

#[test]
fn gone_while_the_program_is_being_stopped() {
    let mut owner = captured(&["-k", "3000"])
        .sh("trap 'echo no' TERM; echo ready; while :; do sleep 0.01; done")
        .start_until("ready");
    owner.send(&frames::stop());
    owner.read_until("no");
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(128 + 9));
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn gone_while_a_fork_bomb_is_swept() {
    let mut owner = captured(&[]).odd("bomb leave").start_until("ready");
    let program = owner.program;
    owner.send(&frames::input_eof());
    eventually("the program exits", || !is_alive(program));
    owner.end();
}

#[test]
fn gone_while_the_last_output_waits_for_it() {
    let mut owner = captured(&[])
        .program(&["head", "-c", "40000", "/dev/zero"])
        .start();
    owner.acks = false;
    eventually("the program is gone", || {
        while owner.has_more() {
            owner.next();
        }
        owner.program != 0 && owner.mark.alive_besides(&[owner.pid]).is_empty()
    });
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(0));
    assert!(outcome.last.is_none());
}

#[test]
fn gone_after_the_end() {
    let mut owner = captured(&[]).sh("exit 3").start();
    owner.read_to_last();
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(3));
}

#[test]
fn gone_after_a_failure() {
    let mut owner = captured(&[]).program(&["/no/such"]).start();
    owner.read_to_last();
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(127));
}

#[test]
fn orphans_are_not_spared_when_the_owner_goes() {
    let owner = captured(&["--orphans", "leave"])
        .sh("sleep 1000 & echo ready; wait")
        .start_until("ready");
    owner.end();
}

#[test]
fn it_stops_reading_but_keeps_its_other_end() {
    let mut owner = captured(&[]).program(&["yes"]).start();
    owner.read_started();
    owner.output = None;
    eventually("the helper exits", || owner.has_exited());
    assert!(owner.input.is_some());
    owner.end();
}

#[test]
fn it_stops_reading_and_the_program_is_silent() {
    let mut owner = captured(&[]).sh("exec sleep 1000").start();
    owner.read_started();
    owner.output = None;
    eventually("the helper exits", || owner.has_exited());
    owner.end();
}

#[test]
fn it_stops_reading_while_the_program_is_blocked_in_write() {
    let mut owner = captured(&[]).program(&["yes"]).start();
    owner.acks = false;
    owner.read_started();
    let program = owner.program;
    wait_until_blocked(&mut owner, program);
    owner.output = None;
    eventually("the helper exits", || owner.has_exited());
    owner.end();
}

#[test]
fn it_stops_reading_after_the_end() {
    let mut owner = captured(&[]).sh("exit 3").start();
    owner.read_to_last();
    owner.output = None;
    eventually("the helper exits", || owner.has_exited());
    assert_eq!(owner.end().status.code(), Some(3));
}

#[test]
fn frames_to_where_nothing_can_be_watched() {
    let mut owner = captured(&[])
        .sh("echo hello; exit 3")
        .via(&["sh", "-c", "exec \"$@\" > /dev/null", "sh"])
        .start();
    eventually("the program is gone", || owner.mark.alive().len() <= 1);
    assert!(!owner.has_exited());
    owner.end();
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a parent-death signal")]
fn the_helper_is_killed() {
    let programs = [
        "echo ready; exec sleep 1000",
        "trap '' TERM HUP; echo ready; while :; do sleep 1; done",
        "echo ready; kill -STOP $$",
        "echo ready; exec yes",
    ];
    for script in programs {
        for _ in 0..5 {
            let owner = captured(&[]).sh(script).start_until("ready");
            let program = owner.program;
            owner.signal_helper(Signal::SIGKILL);
            eventually("the program is gone", || !is_alive(program));
            let (outcome, _) = owner.end_with_survivors();
            assert_eq!(outcome.status.code(), None);
        }
    }
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a parent-death signal")]
fn the_helper_is_killed_right_after_the_start() {
    for _ in 0..100 {
        let mut owner = framed(&[]).program(&["sleep", "1000"]).start();
        owner.read_started();
        let program = owner.program;
        owner.signal_helper(Signal::SIGKILL);
        eventually("the program is gone", || !is_alive(program));
    }
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a parent-death signal")]
fn the_helper_is_killed_at_any_moment_of_its_start() {
    for delay in 0..100 {
        let owner = framed(&[]).program(&["sleep", "1000"]).start();
        // Not a wait for an event: the signal has to come at different moments.
        for _ in 0..delay * 20 {
            std::thread::yield_now();
        }
        owner.signal_helper(Signal::SIGKILL);
        eventually("all is gone", || {
            owner.mark.alive_besides(&[owner.pid]).is_empty()
        });
    }
}

#[test]
fn a_signal_at_any_moment_of_its_start() {
    for delay in 0..100 {
        let owner = captured(&[]).program(&["sleep", "1000"]).start();
        for _ in 0..delay * 20 {
            std::thread::yield_now();
        }
        owner.signal_helper(Signal::SIGTERM);
        // Before its handlers are installed it dies, and afterwards it stops the program.
        owner.end();
    }
}

#[test]
fn gone_at_the_moment_of_the_end() {
    for _ in 0..100 {
        let mut owner = captured(&[]).sh("sleep 1000 & echo out; exit 3").start();
        owner.read_started();
        owner.end();
    }
}

#[test]
#[ignore = "needs root and a parent-death signal"]
fn another_user_does_not_undo_the_tie() {
    let owner = captured(&["--uid", "12345"])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    let program = owner.program;
    owner.signal_helper(Signal::SIGKILL);
    eventually("the program is gone", || !is_alive(program));
}
