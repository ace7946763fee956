// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the program inherits of the helper and of the helper's parent: the environment, and nothing else.

use crate::harness::{Setup, captured, framed};
use crate::odd_programs;
use crate::processes::{Mark, field};
use std::collections::BTreeMap;
use std::process::Command;

#[track_caller]
fn assert_clean(setup: Setup) {
    let outcome = setup.run();
    let text = outcome.text();
    assert_eq!(field(&text, "Open"), "0,1,2");
    for mask in ["SigIgn", "SigBlk", "SigCgt", "SigPnd", "ShdPnd"] {
        assert_eq!(field(&text, mask), "0000000000000000", "{mask}");
    }
}

#[test]
fn descriptors_and_signals() {
    assert_clean(captured(&[]).odd("inherited"));
    assert_clean(captured(&["--capture-stderr"]).odd("inherited"));
}

#[test]
fn descriptors_and_signals_of_a_program_elsewhere() {
    assert_clean(captured(&["--cd", "/", "--stop-signal", "INT"]).odd("inherited"));
}

#[test]
fn a_starter_that_ignores_and_blocks_all_signals_and_leaves_descriptors() {
    assert_clean(captured(&[]).odd("inherited").via_odd("polluted"));
}

#[test]
fn a_starter_that_blocks_all_signals() {
    assert_clean(captured(&[]).odd("inherited").via_odd("deaf"));
}

#[test]
fn such_a_helper_can_still_be_signalled_and_hears_of_deaths() {
    for starter in ["deaf", "polluted"] {
        let owner = captured(&["-k", "60000"])
            .sh("sleep 1000 & echo ready; wait")
            .via_odd(starter)
            .start_until("ready");
        owner.signal_helper(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(owner.finish().report().status(), 128 + 15, "{starter}");
    }
}

/// Parses the output of `env -0`.
fn variables(output: &[u8]) -> BTreeMap<String, String> {
    let output = String::from_utf8_lossy(output).into_owned();
    let pairs = output.split_terminator('\0');
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_environment() {
    let outcome = captured(&[])
        .program(&["env", "-0"])
        .env("EMPTY", "")
        .env("ODD", "a=b\nc")
        .env("PWD", "/somewhere/else")
        .run();
    let mut direct = Command::new("env");
    direct.arg("-0").env("EMPTY", "").env("ODD", "a=b\nc");
    direct.env("PWD", "/somewhere/else");
    let mut expected = variables(&direct.output().unwrap().stdout);
    let mut got = variables(&outcome.stdout);
    assert!(got.remove(Mark::VARIABLE).is_some());
    expected.remove(Mark::VARIABLE);
    assert_eq!(got, expected);
}

#[test]
fn an_empty_environment() {
    let outcome = captured(&[])
        .program(&["/usr/bin/env", "-0"])
        .via(&["env", "-i", "MARK=1"])
        .run();
    assert_eq!(outcome.stdout, b"MARK=1\0");
}

#[test]
fn a_process_group_of_its_own() {
    let outcome = captured(&[])
        .sh("echo $$; cut -d' ' -f5,6 /proc/self/stat; cut -d' ' -f6 /proc/$PPID/stat")
        .run();
    let text = outcome.text();
    let numbers: Vec<&str> = text.split_ascii_whitespace().collect();
    assert_eq!(numbers[0], numbers[1], "its own group");
    assert_eq!(numbers[2], numbers[3], "the helper's session");
}

#[test]
fn the_limits_and_the_mask_of_new_files() {
    let script = "umask; ulimit -a";
    let outcome = captured(&[]).sh(script).run();
    let direct = Command::new("sh").args(["-c", script]).output().unwrap();
    assert_eq!(outcome.stdout, direct.stdout);
}

#[test]
fn a_program_that_is_this_one_finds_itself() {
    // The odd programs run at all: only a variable of the environment selects them.
    let outcome = framed(&["--capture-output"]).odd("write 10").run();
    assert_eq!(outcome.stdout, odd_programs::pattern(10));
}
