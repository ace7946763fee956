// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Stopping the program in several steps, and with it its process group or all its descendants.

use crate::frames::{self, Report};
use crate::harness::{Outcome, Owner, captured};
use crate::processes::{eventually, state};

/// Says which signals it gets, and ends on the last of them.
const TALKS: &str = "trap 'echo int' INT; trap 'echo usr1' USR1; trap 'echo term; exit 3' TERM
    echo ready; while :; do sleep 0.01; done";

/// A child that needs time to end after SIGTERM.
const SLOW: &str =
    "trap 'echo begin; sleep 0.2; echo end; exit' TERM; echo ready; while :; do sleep 0.01; done";

fn stop(mut owner: Owner) -> Outcome {
    owner.send(&frames::stop());
    let outcome = owner.finish();
    assert!(outcome.report().has(Report::STOPPED));
    outcome
}

fn steps<'a>(steps: &[&'a str], scope: &'a str) -> Vec<&'a str> {
    let mut flags = vec!["--stop-scope", scope];
    flags.extend(steps.iter().flat_map(|step| ["--stop-step", step]));
    flags
}

#[test]
fn each_signal_follows_after_its_time() {
    let flags = steps(
        &["SIGINT 100", "USR1 100", "SIGTERM 60000", "SIGKILL 0"],
        "program",
    );
    let outcome = stop(captured(&flags).sh(TALKS).start_until("ready"));
    assert_eq!(outcome.text(), "ready\nint\nusr1\nterm\n");
    assert_eq!(outcome.code(), 3);
    assert!(!outcome.report().has(Report::NEEDED_SIGKILL));
    assert!(outcome.report().wall_us >= 200_000, "signalled too early");
}

#[test]
fn a_program_that_ends_on_the_first_gets_no_other() {
    let flags = steps(&["SIGTERM 60000", "SIGINT 60000"], "program");
    let outcome = stop(captured(&flags).sh(TALKS).start_until("ready"));
    assert_eq!(outcome.text(), "ready\nterm\n");
}

#[test]
fn sigkill_comes_after_the_last() {
    let flags = steps(&["SIGINT 50", "USR1 2000"], "program");
    let outcome = stop(captured(&flags).sh(TALKS).start_until("ready"));
    assert_eq!(outcome.text(), "ready\nint\nusr1\n");
    assert_eq!(outcome.report().code, 9);
    assert!(outcome.report().has(Report::NEEDED_SIGKILL));
}

#[test]
fn a_stop_when_the_owner_is_gone_takes_the_steps_too() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let script = "trap 'echo int >>\"$LOG\"' INT; trap 'echo term >>\"$LOG\"; exit' TERM
        echo ready; while :; do sleep 0.01; done";
    let flags = steps(&["SIGINT 100", "SIGTERM 60000"], "program");
    let owner = captured(&flags)
        .env("LOG", &log)
        .sh(script)
        .start_until("ready");
    owner.end();
    assert_eq!(std::fs::read_to_string(log).unwrap(), "int\nterm\n");
}

#[test]
fn a_shell_alone_does_not_wait_for_its_child() {
    let script = format!("sh -c '{}'; true", SLOW.replace('\'', "'\\''"));
    let flags = steps(&["SIGTERM 60000"], "program");
    let outcome = stop(captured(&flags).sh(&script).start_until("ready"));
    assert_eq!(outcome.text(), "ready\n");
    assert!(outcome.report().swept >= 1);
}

#[test]
fn a_wider_scope_waits_for_the_children() {
    let script = format!("sh -c '{}'; true", SLOW.replace('\'', "'\\''"));
    for scope in ["group", "all"] {
        let flags = steps(&["SIGTERM 60000"], scope);
        let outcome = stop(captured(&flags).sh(&script).start_until("ready"));
        assert_eq!(outcome.text(), "ready\nbegin\nend\n", "{scope}");
        assert_eq!(outcome.report().swept, 0, "{scope}");
        assert!(!outcome.report().has(Report::NEEDED_SIGKILL), "{scope}");
    }
}

#[test]
fn only_all_reaches_what_has_left_the_group() {
    let slow = SLOW.replace('\'', "'\\''");
    let script = format!("setsid sh -c '{slow}' & wait");
    for (scope, text) in [("group", "ready\n"), ("all", "ready\nbegin\nend\n")] {
        let flags = steps(&["SIGTERM 60000"], scope);
        let outcome = stop(captured(&flags).sh(&script).start_until("ready"));
        assert_eq!(outcome.text(), text, "{scope}");
    }
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn all_reaches_orphans() {
    let slow = SLOW.replace('\'', "'\\''");
    let script = format!("(setsid sh -c '{slow}' &); exec sleep 1000");
    let flags = steps(&["SIGTERM 60000"], "all");
    let outcome = stop(captured(&flags).sh(&script).start_until("ready"));
    assert_eq!(outcome.text(), "ready\nbegin\nend\n");
}

#[test]
fn children_that_ignore_the_signals_are_killed_after_the_last_step() {
    let stubborn = "trap \"\" TERM; echo ready; while :; do sleep 0.01; done";
    for scope in ["group", "all"] {
        let script = format!("sh -c '{stubborn}'; true");
        let flags = steps(&["SIGTERM 100", "SIGTERM 100"], scope);
        let outcome = stop(captured(&flags).sh(&script).start_until("ready"));
        assert_eq!(outcome.report().code, 15, "{scope}");
        assert!(outcome.report().swept >= 1, "{scope}");
        assert!(outcome.report().has(Report::NEEDED_SIGKILL), "{scope}");
    }
}

#[test]
// Orphans of another session than their new parent's get SIGHUP, too.
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn stopped_descendants_are_continued() {
    let script =
        "sh -c 'trap \"echo bye; exit\" TERM; echo $$; kill -STOP $$; while :; do sleep 0.01; done'
        true";
    let mut owner = captured(&steps(&["SIGTERM 60000"], "all"))
        .sh(script)
        .start_until("\n");
    let child = owner.stdout.clone();
    let child = String::from_utf8(child).unwrap().trim().parse().unwrap();
    eventually("it is stopped", || state(child) == b'T');
    owner.send(&frames::stop());
    assert!(owner.finish().text().ends_with("bye\n"));
}

#[test]
fn what_was_there_before_is_left_alone() {
    // The helper is exec'ed over a shell that has a child.
    let mut owner = captured(&steps(&["SIGTERM 60000"], "all"))
        .via(&[
            "sh",
            "-c",
            "sleep 1000 </dev/null >/dev/null 2>&1 & exec \"$@\"",
            "sh",
        ])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    owner.send(&frames::stop());
    owner.read_to_last();
    let others = owner.mark.alive_besides(&[owner.pid]);
    assert_eq!(others.len(), 1, "{others:?}");
    // The mark kills what is left.
    let (outcome, _mark) = owner.end_with_survivors();
    assert_eq!(outcome.report().code, 15);
}
