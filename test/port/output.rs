// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Output is complete, in order, and unchanged.

use crate::frames::{self, Frame};
use crate::harness::{Setup, captured, framed};
use crate::odd_programs::{Random, pattern};
use crate::processes::{eventually, is_alive, state};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// The output of `seq 1 last`.
pub fn seq(last: u32) -> String {
    let lines: Vec<String> = (1..=last).map(|number| number.to_string()).collect();
    lines.join("\n") + "\n"
}

#[test]
fn many_lines() {
    let outcome = captured(&[]).program(&["seq", "1", "100000"]).run();
    assert_eq!(outcome.text(), seq(100_000));
    assert_eq!(outcome.report().stdout_bytes, outcome.stdout.len() as u64);
    assert_eq!(outcome.report().stderr_bytes, 0);
}

#[test]
fn more_than_a_pipe_holds_and_gone_at_once() {
    let expected = pattern(66_890);
    for _ in 0..200 {
        let outcome = captured(&[]).odd("write 66890").run();
        assert!(outcome.stdout == expected, "{} bytes", outcome.stdout.len());
    }
}

#[test]
fn one_byte_at_a_time() {
    for _ in 0..3 {
        let outcome = captured(&["--stdio-window", "1"])
            .program(&["seq", "1", "1000"])
            .run();
        assert_eq!(outcome.text(), seq(1000));
    }
}

#[test]
fn windows_of_all_sizes() {
    let expected = pattern(66_890);
    for window in ["3", "100", "4096", "16384", "65536", "4294967295"] {
        let outcome = captured(&["--stdio-window", window])
            .odd("write 66890")
            .run();
        assert!(outcome.stdout == expected, "{window}");
    }
}

#[test]
fn a_hundred_megabytes_of_random_bytes() {
    let blocks = 100_000_000 / 4096;
    let flags = ["--stdio-window", "1048576"];
    let mut owner = captured(&flags).odd(&format!("random {blocks}")).start();
    let mut random = Random::new();
    let mut total = 0;
    while !matches!(owner.next(), Some(Frame::Exited(_))) {
        let whole = owner.stdout.len() / 4096 * 4096;
        for block in owner.stdout[..whole].chunks(4096) {
            assert!(block == random.block(), "differs after {total} bytes");
            total += block.len();
        }
        owner.stdout.drain(..whole);
    }
    assert_eq!(total, blocks * 4096);
    assert!(owner.stdout.is_empty());
    let outcome = owner.finish();
    assert_eq!(outcome.report().stdout_bytes, total as u64);
}

#[test]
fn a_background_child_holds_the_pipe() {
    let outcome = captured(&[]).sh("sleep 1000 & seq 1 20000; exit 3").run();
    assert_eq!(outcome.text(), seq(20_000));
    assert_eq!(outcome.code(), 3);
    assert_eq!(outcome.report().swept, 1);
}

#[test]
fn a_descendant_writes_just_before_the_program_dies() {
    // More than the window and a full pipe.
    for _ in 0..20 {
        let outcome = captured(&["--stdio-window", "1024"])
            .sh("(head -c 60000 /dev/zero; kill -9 $$; sleep 1000) & wait; sleep 1000")
            .run();
        assert_eq!(outcome.stdout.len(), 60_000);
        assert_eq!(outcome.report().status(), 128 + 9);
    }
}

#[test]
fn a_descendant_that_was_left_behind_is_heard_until_it_is_killed() {
    let outcome = captured(&[])
        .sh("(while :; do echo line; done) & seq 1 20000 >&2; exit 0")
        .run();
    // Writes of a line are atomic: pipe(7).
    assert!(outcome.text().lines().all(|line| line == "line"));
    assert_eq!(outcome.report().stdout_bytes, outcome.stdout.len() as u64);
}

/// Opens the program's stdout, as if it had been handed to a process outside its tree.
fn open_stdout_of(program: i32) -> File {
    let path = format!("/proc/{program}/fd/1");
    let mut options = File::options();
    // Opened anew, it has its own O_NONBLOCK.
    options.write(true).custom_flags(libc::O_NONBLOCK);
    options.open(path).unwrap()
}

#[test]
fn somebody_else_holds_the_pipe() {
    let mut owner = captured(&[]).sh("echo ready; read x; seq 1 20000").start();
    owner.read_until("ready");
    let held = open_stdout_of(owner.program);
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_eq!(outcome.text(), format!("ready\n{}", seq(20_000)));
    drop(held);
}

/// Writes until the pipe is full; false when it has no reader.
fn fill(pipe: &mut File) -> bool {
    loop {
        // Writes up to this size are atomic: pipe(7).
        if let Err(error) = pipe.write_all(&[b'.'; 4096]) {
            return error.kind() == std::io::ErrorKind::WouldBlock;
        }
    }
}

#[test]
fn somebody_else_fills_the_pipe_again_and_again() {
    let mut owner = captured(&[]).sh("echo ready; read x; seq 1 20000").start();
    owner.read_until("ready");
    let mut held = open_stdout_of(owner.program);
    owner.send(&frames::input_eof());
    owner.read_until("\n20000\n");
    owner.acks = false;
    eventually("the program is gone", || !is_alive(owner.program));
    // The program's own output is complete. Later output of others is not waited for.
    let mut rounds = 0;
    while fill(&mut held) && !matches!(owner.next(), Some(Frame::Exited(_))) {
        owner.ack_all();
        rounds += 1;
        assert!(rounds < 1000, "it goes on for ever");
    }
    let outcome = owner.finish();
    let own: String = outcome.text().chars().filter(|&c| c != '.').collect();
    assert_eq!(own, format!("ready\n{}", seq(20_000)));
}

#[test]
fn somebody_else_writes_for_ever_and_the_owner_discards() {
    let mut owner = captured(&[]).sh("echo ready; read x").start();
    owner.read_until("ready");
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let mut held = open_stdout_of(owner.program);
            std::thread::spawn(move || while fill(&mut held) {})
        })
        .collect();
    owner.send(&frames::discard());
    owner.send(&frames::stop());
    owner.finish();
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn merged_streams_keep_their_order() {
    let script = "i=0; while [ $i -lt 1000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
    let outcome = captured(&["--capture-stderr"]).sh(script).run();
    let lines: Vec<String> = (0..1000)
        .flat_map(|number| [format!("out {number}"), format!("err {number}")])
        .collect();
    assert_eq!(outcome.text(), lines.join("\n") + "\n");
    assert!(outcome.stderr.is_empty());
}

/// Captures both streams, each as its own.
fn apart(flags: &[&str]) -> Setup {
    captured(&[&["--capture-stderr-apart"], flags].concat())
}

#[test]
fn both_streams_apart_are_complete() {
    for window in ["1", "1000", "1000000"] {
        let outcome = apart(&["--stdio-window", window])
            .sh("seq 1 5000; seq 5001 10000 >&2; seq 10001 10100")
            .run();
        let numbers = |from: u32, to: u32| seq(to)[seq(from - 1).len()..].to_owned();
        assert_eq!(outcome.text(), seq(5000) + &numbers(10_001, 10_100));
        let errors = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(errors, numbers(5001, 10_000));
        assert_eq!(outcome.report().stderr_bytes, outcome.stderr.len() as u64);
        assert_eq!(outcome.report().stdout_bytes, outcome.stdout.len() as u64);
    }
}

#[test]
fn a_stream_does_not_wait_for_the_end_of_the_other() {
    for (script, first) in [
        ("yes & sleep 0.1; echo rare >&2; wait", "rare"),
        ("yes >&2 & sleep 0.1; echo rare; wait", "rare"),
    ] {
        let mut owner = apart(&["--stdio-window", "1000"]).sh(script).start();
        owner.read_until(first);
        owner.send(&frames::stop());
        owner.finish();
    }
}

#[test]
fn streams_are_sent_in_the_order_in_which_output_came() {
    let directory = tempfile::tempdir().unwrap();
    for (script, stderr_first) in [("echo e >&2; echo o", true), ("echo o; echo e >&2", false)] {
        let (go, done) = (directory.path().join("go"), directory.path().join("done"));
        let script =
            format!("echo ready; until [ -e \"$GO\" ]; do :; done; {script}; : > \"$DONE\"");
        let mut owner = apart(&[])
            .sh(&script)
            .env("GO", &go)
            .env("DONE", &done)
            .start_until("ready\n");
        // Both come while it does not look.
        owner.signal_helper(Signal::SIGSTOP);
        eventually("it is stopped", || state(owner.pid) == b'T');
        File::create(&go).unwrap();
        eventually("the program has written", || done.exists());
        owner.signal_helper(Signal::SIGCONT);
        let first = owner.next();
        let expected = if stderr_first {
            Frame::Stderr(b"e\n".to_vec())
        } else {
            Frame::Stdout(b"o\n".to_vec())
        };
        assert_eq!(first, Some(expected));
        owner.finish();
        std::fs::remove_file(&go).unwrap();
        std::fs::remove_file(&done).unwrap();
    }
}

#[test]
fn stderr_alone() {
    let outcome = framed(&["--capture-stderr-only"])
        .sh("echo out; echo err >&2; exec 3>&1; readlink /proc/$$/fd/3 >&2")
        .run();
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "err\n/dev/null\n");
    assert!(outcome.stdout.is_empty());
    assert_eq!(outcome.report().stderr_bytes, 14);
    assert_eq!(outcome.report().stdout_bytes, 0);
}

#[test]
fn stderr_is_the_helpers_own_unless_captured() {
    let outcome = captured(&[]).sh("echo out; echo err >&2").run();
    assert_eq!(outcome.text(), "out\n");
    assert_eq!(outcome.errors, "err\n");
}

#[test]
fn without_capture_nothing_comes() {
    let outcome = framed(&[])
        .sh("echo out; echo err >&2; exec 3>&1; readlink /proc/$$/fd/3 >&2")
        .run();
    assert!(outcome.stdout.is_empty());
    assert_eq!(outcome.errors, "err\n/dev/null\n");
    let outcome = framed(&["--capture-stderr"])
        .sh("echo out; echo err >&2")
        .run();
    assert!(outcome.stdout.is_empty() && outcome.stderr.is_empty());
    assert_eq!(outcome.errors, "");
}

#[test]
fn a_program_that_closes_its_stdout_early_lives_on() {
    let mut owner = captured(&[])
        .sh("echo last; exec >&-; read x; exit 4")
        .start();
    owner.read_until("last");
    eventually("stdout is closed", || {
        !std::path::Path::new(&format!("/proc/{}/fd/1", owner.program)).exists()
    });
    owner.send(&frames::input_eof());
    assert_eq!(owner.finish().code(), 4);
}

#[test]
fn writes_that_are_read_one_by_one_do_not_wait_for_more() {
    // With O_DIRECT, each read returns one write: pipe(2).
    let mut owner = captured(&["--stdio-window", "2"])
        .sh("printf 'a\\nb\\nc\\n' | dd bs=2 oflag=direct 2>/dev/null; exec sleep 1000")
        .start();
    owner.acks = false;
    owner.read_until("a\n");
    eventually("all is written", || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", owner.program));
        name.is_ok_and(|name| name == "sleep\n")
    });
    owner.acks = true;
    owner.ack_all();
    owner.read_until("c\n");
    owner.send(&frames::stop());
    assert_eq!(owner.finish().text(), "a\nb\nc\n");
}

#[test]
fn of_a_pipe_with_packets_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("numbers");
    let numbers: String = (0..60_000).map(|n: u32| n.to_string() + "\n").collect();
    std::fs::write(&file, &numbers).unwrap();
    for (window, packet) in [
        (700, 4096),
        (10_240, 4096),
        (10_240, 3000),
        (1_000_000, 3000),
    ] {
        let window = window.to_string();
        // The first packets come before anything is read ahead, and later ones beside what waits for credit.
        let outcome = captured(&["--stdio-window", &window])
            .sh(&format!(
                "dd if=\"$FILE\" bs={packet} oflag=direct 2>/dev/null"
            ))
            .env("FILE", &file)
            .run();
        assert!(outcome.text() == numbers, "{window} {packet}");
    }
}
