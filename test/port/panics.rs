// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The helper panics in each state, and nothing is left. It has to be built with `--features panic-on-purpose`.

use crate::diagnostics::full_pipe;
use crate::frames;
use crate::groups::Group;
use crate::harness::{Owner, Setup, captured};
use crate::processes::{eventually, orphan};
use std::os::unix::process::ExitStatusExt;

const STATES: [&str; 8] = [
    "setup", "started", "running", "stopping", "sweeping", "draining", "removing", "done",
];

/// Ignores SIGTERM, and leaves a child and an orphan in other sessions.
fn program(state: &str, flags: &[&str]) -> Setup {
    captured(flags)
        .sh(concat!(
            "trap '' TERM; setsid sleep 1000 & ",
            orphan!(),
            "; for d in $SUB; do mkdir $d; done; echo ready; read x; exit 3"
        ))
        .env("MUONTRAP_PANIC_IN", state)
}

/// Brings the helper to the state in which it panics.
#[track_caller]
fn lead_to(state: &str, setup: Setup) -> Owner {
    let mut owner = setup.start();
    // An ACK would be the first frame.
    owner.acks = state != "running";
    if !["setup", "started"].contains(&state) {
        owner.read_until("ready");
        // The helper, the program and the two that it left.
        owner.mark.wait_for(4);
        owner.send(&match state {
            "running" => frames::ack(0),
            "stopping" => frames::stop(),
            _ => frames::input_eof(),
        });
    }
    eventually("the helper ends", || owner.has_exited());
    owner
}

#[track_caller]
fn panic_in(state: &str, setup: Setup) {
    let (outcome, mark) = lead_to(state, setup).end_with_survivors();
    assert_eq!(mark.alive(), vec![], "{state}");
    assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{state}");
    let expected = format!("on purpose, in {state}");
    assert!(outcome.errors.contains(&expected), "{}", outcome.errors);
}

#[test]
#[cfg_attr(
    not(feature = "panic-on-purpose"),
    ignore = "is for --features panic-on-purpose"
)]
fn nothing_is_left() {
    for state in STATES {
        panic_in(state, program(state, &[]));
    }
}

#[test]
#[cfg_attr(
    not(feature = "panic-on-purpose"),
    ignore = "is for --features panic-on-purpose"
)]
fn nothing_is_left_with_a_stderr_that_nobody_reads() {
    for state in STATES {
        let (fd, _reader) = full_pipe();
        let outcome = lead_to(state, program(state, &[]).errors(fd)).end();
        assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{state}");
    }
}

#[test]
#[cfg_attr(
    not(feature = "panic-on-purpose"),
    ignore = "is for --features panic-on-purpose"
)]
#[cfg_attr(feature = "panic-on-purpose", ignore = "needs cgroups")]
fn neither_is_the_group() {
    for state in STATES {
        let group = Group::new(&format!("panic-{state}"));
        let setup = program(state, &["--group", &group.name]);
        panic_in(state, setup.env("SUB", group.below().join(" ")));
        group.assert_removed();
    }
}

#[test]
#[cfg_attr(
    not(feature = "panic-on-purpose"),
    ignore = "is for --features panic-on-purpose"
)]
fn orphans_that_may_stay_do_stay() {
    let setup = program("done", &["--orphans", "leave"]);
    let mut owner = setup.start_until("ready");
    owner.send(&frames::input_eof());
    eventually("the helper ends", || owner.has_exited());
    let (_, mark) = owner.end_with_survivors();
    assert_eq!(mark.alive().len(), 2);
}
