// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap -- program`, as in a shell.

use crate::harness::{Owner, helper_path, plain};
use crate::processes::{Mark, eventually};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use std::process::{Command, Stdio};

/// Reads the helper's stdout as it is until `text` came.
#[track_caller]
fn read_until(owner: &mut Owner, text: &str) {
    while !String::from_utf8_lossy(&owner.bytes).contains(text) {
        assert!(owner.read_some(), "no {text:?}: {}", owner.errors());
    }
}

/// Waits for the exit while stdin stays open. Returns output, exit status and stderr.
#[track_caller]
fn run(mut owner: Owner) -> (String, i32, String) {
    while owner.read_some() {}
    let output = String::from_utf8_lossy(&owner.bytes).into_owned();
    eventually("the helper exits", || owner.has_exited());
    let outcome = owner.end();
    (output, outcome.status.code().unwrap(), outcome.errors)
}

#[test]
fn output_passes_through() {
    let (output, status, errors) = run(plain(&[]).sh("echo out; echo err >&2").start());
    assert_eq!((output.as_str(), status), ("out\n", 0));
    assert_eq!(errors, "err\n");
}

#[test]
fn much_output_passes_through() {
    let (output, status, _) = run(plain(&[]).program(&["seq", "1", "100000"]).start());
    assert_eq!((output.len(), status), (588_895, 0));
}

#[test]
fn exit_codes_pass_through() {
    for (script, expected) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
    ] {
        let (_, status, errors) = run(plain(&[]).sh(script).start());
        assert_eq!((status, errors.as_str()), (expected, ""), "{script}");
    }
}

#[test]
fn the_end_of_stdin_stops_the_program() {
    let mut owner = plain(&[]).sh("echo ready; sleep 1000 & wait").start();
    read_until(&mut owner, "ready");
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(143));
}

#[test]
fn bytes_on_stdin_go_to_the_program() {
    let mut owner = plain(&[]).program(&["cat"]).start();
    owner.send(b"hello\n");
    read_until(&mut owner, "hello\n");
    owner.send(b"world\n");
    read_until(&mut owner, "world\n");
    assert_eq!(owner.end().status.code(), Some(143));
}

#[test]
fn much_on_stdin_goes_to_a_slow_program() {
    let mut owner = plain(&[])
        .sh("sleep 0.2; head -c 1000000 | wc -c; exec sleep 1000")
        .start();
    owner.send(&vec![b'x'; 1_000_000]);
    read_until(&mut owner, "1000000\n");
    owner.end();
}

#[test]
fn the_end_of_stdin_behind_much_that_nobody_reads() {
    let mut owner = plain(&[]).sh("echo ready; exec sleep 1000").start();
    read_until(&mut owner, "ready");
    // Two pipes and the helper's buffer hold at least this much.
    owner.send(&vec![b'x'; 128 * 1024]);
    assert_eq!(owner.end().status.code(), Some(143));
}

#[test]
fn a_program_that_closed_its_stdin_and_much_input() {
    let mut owner = plain(&[]).odd("close-stdin").start();
    read_until(&mut owner, "ready");
    owner.send(&vec![b'x'; 1_000_000]);
    assert_eq!(owner.end().status.code(), Some(143));
}

#[test]
fn signals_stop_it() {
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let mut owner = plain(&[]).sh("echo ready; sleep 1000 & wait").start();
        read_until(&mut owner, "ready");
        owner.signal_helper(signal);
        let (_, status, _) = run(owner);
        assert_eq!(status, 143, "{signal}");
    }
}

#[test]
fn a_reader_that_goes_away_is_the_programs_business() {
    let mut owner = plain(&[]).program(&["yes"]).start();
    read_until(&mut owner, "y\n");
    owner.output = None;
    let (_, status, _) = run(owner);
    assert_eq!(status, 128 + 13);
}

#[test]
fn a_pipeline_of_shells() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 3<&0; \"$HELPER\" -- seq 1 10 <&3 | tail -n 1"]);
    let mut child = shell
        .env("HELPER", helper_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::read_to_string(child.stdout.as_mut().unwrap()).unwrap();
    assert_eq!(output, "10\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_file_of_another_shell_is_not_made_non_blocking() {
    // The helper shares its stdin with its parent.
    let (stdin, _held_open) = nix::unistd::pipe().unwrap();
    let mut command = plain(&[]).sh("echo ready").command(&Mark::new());
    let mut child = command
        .stdin(stdin.try_clone().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::read_to_string(child.stdout.as_mut().unwrap()).unwrap();
    assert_eq!(output, "ready\n");
    let flags = OFlag::from_bits_retain(fcntl(&stdin, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
    assert!(child.wait().unwrap().success());
}

#[test]
fn help_version_and_mistakes() {
    let output = |arguments: &[&str]| {
        Command::new(helper_path())
            .args(arguments)
            .output()
            .unwrap()
    };
    let help = output(&["--help"]);
    assert!(help.status.success() && help.stdout.starts_with(b"Runs a program"));
    let version = output(&["--version"]);
    assert!(version.status.success() && version.stdout.starts_with(b"muontrap "));
    for mistake in [
        &[][..],
        &["--bogus", "true"],
        &["--framed"],
        &["--uid"],
        &["--"],
    ] {
        let refused = output(mistake);
        assert_eq!(refused.status.code(), Some(125), "{mistake:?}");
        assert!(!refused.stderr.is_empty() && refused.stdout.is_empty());
    }
}

#[test]
fn every_bad_value_is_refused_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");
    let bad = [
        ["--stdio-window", "0"],
        ["--stdio-window", "4294967296"],
        ["--stdio-window", "+1000"],
        ["--stdio-window", " 1000"],
        ["--stdio-window", "0x3e8"],
        ["--stdio-window", "01750"],
        ["--stdio-window", "-1"],
        ["--stdio-window", "abc"],
        ["--stdio-window", ""],
        ["--delay-to-sigkill", "4294968296"],
        ["--delay-to-sigkill", "-1"],
        ["--delay-to-sigkill", "1.5"],
        ["--delay-to-sigkill", ""],
        ["--stop-signal", "SIGNOPE"],
        ["--stop-signal", "0"],
        ["--stop-signal", "65"],
        ["--orphans", "maybe"],
        ["--set", "a=1"],
        ["--controller", "memory"],
    ];
    for flags in bad {
        // The last two need a group.
        let named = match flags[0] {
            "--set" | "--controller" => "--group",
            flag => flag,
        };
        let setup = plain(&flags).env("RAN", &ran).sh("touch \"$RAN\"");
        let mut owner = setup.start();
        eventually("the helper exits", || owner.has_exited());
        let outcome = owner.end();
        assert_eq!(outcome.status.code(), Some(125), "{flags:?}");
        assert!(outcome.errors.contains(named), "{}", outcome.errors);
        assert!(!ran.exists(), "{flags:?}");
    }
}
