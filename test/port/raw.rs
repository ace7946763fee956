// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! An owner that speaks as to MuonTrap 1.x: raw output, and a byte `b` for each `b + 1` bytes of it.

use crate::harness::{Outcome, Owner, Setup, plain};
use crate::processes::eventually;
use std::time::{Duration, Instant};

fn raw(flags: &[&str]) -> Setup {
    plain(&["--capture-output"]).flags(flags)
}

/// Acknowledges `count` bytes of output.
fn ack(owner: &mut Owner, mut count: usize) {
    while count > 0 {
        let part = count.min(256);
        owner.send(&[u8::try_from(part - 1).unwrap()]);
        count -= part;
    }
}

#[track_caller]
fn read_until(owner: &mut Owner, text: &str) {
    while !String::from_utf8_lossy(&owner.bytes).contains(text) {
        assert!(owner.read_some(), "no {text:?}: {}", owner.errors());
    }
}

/// Waits for the exit while stdin stays open. Returns output and outcome.
#[track_caller]
fn run(setup: Setup, acks: bool) -> (String, Outcome) {
    let mut owner = setup.start();
    let mut acked = 0;
    while owner.read_some() {
        if acks {
            let count = owner.bytes.len() - acked;
            ack(&mut owner, count);
            acked += count;
        }
    }
    eventually("the helper exits", || owner.has_exited());
    let output = String::from_utf8_lossy(&owner.bytes).into_owned();
    (output, owner.end())
}

#[test]
fn output_comes_as_it_is_and_within_the_window() {
    let mut owner = raw(&["--stdio-window", "1000"])
        .program(&["seq", "1", "100000"])
        .start();
    let mut acked = 0;
    while owner.read_some() {
        let count = owner.bytes.len() - acked;
        assert!(count <= 1000, "{count} bytes");
        ack(&mut owner, count);
        acked += count;
    }
    assert_eq!(acked, 588_895);
    assert!(owner.bytes.ends_with(b"99999\n100000\n"));
    eventually("the helper exits", || owner.has_exited());
    assert_eq!(owner.end().status.code(), Some(0));
}

#[test]
fn without_acknowledgements_no_more_than_the_window_comes() {
    for (flags, window) in [(&[][..], 10_240), (&["--stdio-window", "77"], 77)] {
        let mut owner = raw(flags).program(&["yes"]).start();
        let mut count = 0;
        eventually("both wait", || {
            while owner.has_more() && owner.read_some() {
                count += std::mem::take(&mut owner.bytes).len();
            }
            let alive = owner.mark.alive();
            count >= window && alive.len() == 2 && alive.iter().all(|it| it.state == b'S')
        });
        assert!(count == window && !owner.has_more());
        owner.end();
    }
}

#[test]
fn acknowledgements_do_not_reach_the_program() {
    let mut owner = raw(&[])
        .sh("echo ready; read x && echo \"got $x\" >&2; exec sleep 1000")
        .start();
    read_until(&mut owner, "ready\n");
    owner.send(b"\n\n\n\n\n\n");
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(128 + 15));
    assert_eq!(outcome.errors, "");
}

#[test]
fn the_last_acknowledgement_finds_a_reader() {
    for _ in 0..50 {
        let begun = Instant::now();
        let mut owner = raw(&[]).sh("echo bye; exit 7").start();
        read_until(&mut owner, "bye\n");
        // Without a reader, this fails with EPIPE.
        let sent = owner.try_send(&[3]);
        // The helper does not wait for an owner that is late, as this one is on a busy machine.
        assert!(sent.is_ok() || begun.elapsed() > Duration::from_millis(150));
        eventually("the helper exits", || owner.has_exited());
        assert_eq!(owner.end().status.code(), Some(7));
    }
}

#[test]
fn an_owner_may_acknowledge_too_much_or_nothing() {
    for acks in [false, true] {
        let (output, outcome) = run(raw(&[]).sh("echo bye; exit 7"), acks);
        assert_eq!((output.as_str(), outcome.status.code()), ("bye\n", Some(7)));
    }
    let mut owner = raw(&[]).sh("echo ready; exec sleep 1000").start();
    read_until(&mut owner, "ready");
    owner.send(&[255; 100]);
    assert_eq!(owner.end().status.code(), Some(128 + 15));
}

#[test]
fn an_owner_that_acknowledges_nothing_gets_all_that_the_window_holds() {
    let directory = tempfile::tempdir().unwrap();
    let go_on = directory.path().join("go on");
    let script = "printf %090d 1; until test -e \"$GO_ON\"; do :; done; printf 234567890; exit 3";
    let flags = ["--stdio-window", "100"];
    let mut owner = raw(&flags).sh(script).env("GO_ON", &go_on).start();
    read_until(&mut owner, "01");
    std::fs::write(&go_on, "").unwrap();
    // Little of the window is left, and nothing is acknowledged.
    read_until(&mut owner, "01234567890");
    eventually("the helper exits", || owner.has_exited());
    assert_eq!(owner.end().status.code(), Some(3));
}

#[test]
fn exit_statuses_are_the_programs() {
    for (script, status) in [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)] {
        let (_, outcome) = run(raw(&[]).sh(script), true);
        assert_eq!(outcome.status.code(), Some(status), "{script}");
    }
    let (output, outcome) = run(raw(&[]).program(&["no-such-program"]), true);
    assert_eq!((output.as_str(), outcome.status.code()), ("", Some(127)));
    assert!(outcome.errors.contains("no-such-program"));
}

#[test]
fn the_end_of_stdin_stops_the_program_and_all_that_it_started() {
    for script in ["sleep 1000 & echo ready; wait", "sleep 1000 & yes ready"] {
        let mut owner = raw(&[]).sh(script).start();
        read_until(&mut owner, "ready");
        assert_eq!(owner.end().status.code(), Some(128 + 15));
    }
}

#[test]
fn a_reader_that_goes_away_stops_the_program() {
    let mut owner = raw(&[]).sh("sleep 1000 & yes ready").start();
    read_until(&mut owner, "ready");
    owner.output = None;
    eventually("the helper exits", || owner.has_exited());
    assert_eq!(owner.end().status.code(), Some(128 + 15));
}

#[test]
fn the_flags_say_what_is_captured() {
    let script = "echo out; echo err >&2";
    for (flags, output, errors) in [
        (&["--capture-output"][..], "out\n", "err\n"),
        (&["--capture-output", "--capture-stderr"], "out\nerr\n", ""),
        (&["--capture-output", "--capture-stderr-only"], "err\n", ""),
        (&["--capture-stderr-only"], "err\n", ""),
        // What is not captured is thrown away.
        (&["--stdio-window", "100"], "", "err\n"),
        (&["--capture-stderr"], "", ""),
    ] {
        let (got, outcome) = run(plain(flags).sh(script), true);
        let got = (got.as_str(), outcome.errors.as_str());
        assert_eq!(got, (output, errors), "{flags:?}");
    }
}

#[test]
fn a_port_that_asks_for_no_output_gets_none() {
    let (output, outcome) = run(plain(&[]).sh("echo out; exit 3").via_odd("port"), true);
    assert_eq!((output.as_str(), outcome.status.code()), ("", Some(3)));
}

/// stderr may be the same pipe as stdout, to which muontrap writes without blocking.
#[test]
fn what_the_program_inherits_still_blocks() {
    let (output, _) = run(
        raw(&[])
            .sh("grep flags /proc/self/fdinfo/2")
            .via(&["sh", "-c", "exec \"$@\" 2>&1", "sh"]),
        true,
    );
    let flags = output.trim().rsplit('\t').next().unwrap();
    let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
    assert_eq!(flags & libc::O_NONBLOCK, 0, "{output}");
}
