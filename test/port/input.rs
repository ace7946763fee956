// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The program's stdin: all bytes arrive, and a program that does not read them does no harm.

use crate::frames;
use crate::harness::captured;
use crate::odd_programs::pattern;
use crate::processes::{eventually, state};

const WINDOW: u64 = 1 << 20;

#[test]
fn it_comes_back() {
    let mut owner = captured(&[]).program(&["cat"]).start();
    owner.send(&frames::input(b"hello "));
    owner.send(&frames::input(b""));
    owner.send(&frames::input(b"world\0\xff\n"));
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_eq!(outcome.stdout, b"hello world\0\xff\n");
    assert_eq!(outcome.code(), 0);
}

#[test]
fn a_mebibyte_comes_back_and_is_acknowledged() {
    let bytes = pattern(1 << 20);
    let mut owner = captured(&[]).program(&["cat"]).start();
    // As much as may be in flight, in frames of the largest size.
    owner.send(&frames::input(&bytes[..bytes.len() - 1]));
    owner.send(&frames::input(&bytes[bytes.len() - 1..]));
    while owner.input_written < WINDOW {
        assert!(owner.next().is_some());
    }
    assert_eq!(owner.input_dropped, 0);
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert!(outcome.stdout == bytes, "{} bytes", outcome.stdout.len());
}

#[test]
fn the_window_opens_again() {
    let chunk = pattern(300_000);
    let mut owner = captured(&["--stdio-window", "1000"])
        .program(&["cat"])
        .start();
    let mut sent = 0;
    while sent < 3_000_000 {
        owner.send(&frames::input(&chunk));
        sent += chunk.len() as u64;
        while sent + 300_000 - owner.input_written > WINDOW {
            assert!(owner.next().is_some());
        }
    }
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert!(outcome.stdout.chunks(chunk.len()).all(|part| part == chunk));
    assert_eq!(outcome.stdout.len() as u64, sent);
}

#[test]
fn the_end_alone() {
    let mut owner = captured(&[]).sh("cat; echo end").start();
    owner.send(&frames::input_eof());
    owner.send(&frames::input_eof());
    assert_eq!(owner.finish().text(), "end\n");
}

#[test]
fn the_end_comes_after_everything() {
    let mut owner = captured(&[]).sh("sleep 0.1; wc -c").start();
    owner.send(&frames::input(&pattern(500_000)));
    owner.send(&frames::input_eof());
    assert_eq!(owner.finish().text().trim(), "500000");
}

#[test]
fn a_program_that_closed_its_stdin() {
    let mut owner = captured(&[]).odd("close-stdin").start_until("ready");
    owner.send(&frames::input(&pattern(500_000)));
    owner.send(&frames::input(&pattern(500_000)));
    // Dropped bytes are acknowledged, or the owner would wait for ever.
    while owner.input_dropped < 1_000_000 {
        assert!(owner.next().is_some());
    }
    owner.send(&frames::input(&pattern(1_000_000)));
    while owner.input_dropped < 2_000_000 {
        assert!(owner.next().is_some());
    }
    assert_eq!(owner.input_written, 0);
    owner.send(&frames::stop());
    let outcome = owner.finish();
    assert_eq!(outcome.report().code, 15);
}

#[test]
fn a_program_that_reads_a_part() {
    let mut owner = captured(&[])
        .sh("head -c 1000; exec <&-; echo ready; exec sleep 1000")
        .start();
    owner.send(&frames::input(&pattern(500_000)));
    owner.read_until("ready\n");
    while owner.input_dropped == 0 {
        assert!(owner.next().is_some());
    }
    assert_eq!(owner.input_written + owner.input_dropped, 500_000);
    assert!(owner.input_written >= 1000);
    owner.send(&frames::stop());
    owner.finish();
}

#[test]
fn a_program_that_exits_without_reading() {
    for _ in 0..20 {
        let mut owner = captured(&[]).sh("exit 2").start();
        owner.send(&frames::input(&pattern(200_000)));
        // Input that comes after EXITED is not acknowledged.
        owner.read_to_last();
        let handled = owner.input_written + owner.input_dropped;
        assert!([0, 200_000].contains(&handled), "{handled}");
        // A pipe holds 64 KiB: pipe(7).
        assert!(owner.input_written <= 1 << 16);
        assert_eq!(owner.finish().code(), 2);
    }
}

#[test]
fn input_after_the_program_died_is_no_error() {
    let mut owner = captured(&[]).sh("exit 2").start();
    owner.read_to_last();
    for _ in 0..5 {
        owner.send(&frames::input(&pattern(1_000_000)));
    }
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_eq!(outcome.errors, "");
    assert_eq!(outcome.code(), 2);
}

#[test]
fn a_program_that_never_reads_can_be_stopped() {
    let mut owner = captured(&[])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    owner.send(&frames::input(&pattern(1_000_000)));
    owner.send(&frames::stop());
    let outcome = owner.finish();
    assert_eq!(outcome.report().code, 15);
}

#[test]
fn a_program_that_never_reads_does_not_hold_up_output() {
    let mut owner = captured(&[])
        .sh("echo ready; seq 1 100000; exec sleep 1000")
        .start_until("ready");
    owner.send(&frames::input(&pattern(1_000_000)));
    owner.read_until("\n100000\n");
    owner.send(&frames::stop());
    owner.finish();
}

#[test]
fn reading_stdin_does_not_disturb_flow_control() {
    // The program reads everything from its stdin while frames come in on the helper's.
    let mut owner = captured(&["--stdio-window", "100"])
        .sh("exec 3<&0; cat <&3 > /dev/null & seq 1 20000; wait")
        .start();
    owner.read_until("\n20000\n");
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_eq!(outcome.stdout.len(), 108_894);
}

#[test]
fn the_program_sees_the_end_when_the_helper_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let seen = directory.path().join("seen");
    // A descendant that outlives the helper gets end of file.
    let owner = captured(&[])
        .sh("exec 3<&0; sh -c 'echo ready; cat > /dev/null; : > \"$SEEN\"' <&3 & wait")
        .env("SEEN", &seen)
        .start_until("ready");
    owner.signal_helper(nix::sys::signal::Signal::SIGKILL);
    eventually("the end is seen", || seen.exists());
    owner.end_with_survivors();
}

#[test]
fn input_is_acknowledged_when_it_is_written_or_dropped() {
    let mut owner = captured(&[])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    owner.send(&frames::input(&pattern(1_000_000)));
    while owner.input_written == 0 {
        owner.next();
    }
    let helper = owner.pid;
    eventually("the rest waits", || {
        while owner.has_more() {
            owner.next();
        }
        state(helper) == b'S' && !owner.has_more()
    });
    // A pipe holds 64 KiB: pipe(7).
    let written = owner.input_written;
    assert!(written <= 1 << 16 && owner.input_dropped == 0, "{written}");
    owner.send(&frames::signal(9));
    owner.read_to_last();
    assert_eq!(owner.input_written, written);
    assert_eq!(owner.input_dropped, 1_000_000 - written);
    owner.finish();
}
