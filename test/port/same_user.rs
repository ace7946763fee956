// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A program of the helper's own user, which is not root, cannot reach the helper's pipes and memory.

use crate::frames::Frame;
use crate::harness::{Setup, captured, framed};
use crate::processes::eventually;
use nix::unistd::Uid;

const NOBODY: u32 = 65_534;

/// A helper that does not run as root.
fn unprivileged(setup: Setup) -> Setup {
    if Uid::effective().is_root() {
        setup.via_odd(&format!("with-groups {NOBODY}:{NOBODY}:{NOBODY}"))
    } else {
        setup
    }
}

#[test]
fn the_owners_pipe_cannot_be_held_open() {
    let hold = "(exec 3<> /proc/$PPID/fd/0; echo held; exec sleep 1000) || echo refused";
    let mut owner = unprivileged(captured(&[]))
        .sh(&format!("{hold}; cat"))
        .start();
    owner.read_until("e");
    assert_eq!(String::from_utf8_lossy(&owner.stdout), "refused\n");
    owner.end();
}

#[test]
fn frames_cannot_be_forged() {
    let exited = r"printf '\0\0\0\104\205\0\0\4%064d' 0 > /proc/$PPID/fd/1; exit 3";
    let outcome = unprivileged(framed(&[])).sh(exited).run();
    assert!(
        outcome.errors.contains("Permission denied"),
        "{}",
        outcome.errors
    );
    assert_eq!(outcome.code(), 3);
}

#[test]
fn the_helpers_memory_and_environment_are_out_of_reach() {
    let script = "for file in environ mem maps cwd/. root/. exe; do
        head -c 0 /proc/$PPID/$file 2> /dev/null && echo $file
    done; echo done";
    let outcome = unprivileged(captured(&[])).sh(script).run();
    assert_eq!(outcome.text(), "done\n");
}

/// Core dumps and debuggers need it.
#[test]
fn the_program_is_as_dumpable_as_any_other() {
    // The files of a process that is not dumpable belong to root: proc(5).
    let script = "stat -c %u /proc/$$/environ /proc/$$/fd; id -u";
    let text = unprivileged(captured(&[])).sh(script).run().text();
    let owners: Vec<&str> = text.lines().collect();
    assert_eq!(owners.len(), 3);
    assert!(owners.iter().all(|owner| *owner == owners[2]), "{text}");
}

#[test]
fn the_state_of_the_helper_is_everybodys_to_read() {
    let mut owner = unprivileged(framed(&[]))
        .program(&["sleep", "1000"])
        .start();
    owner.read_started();
    let stat = format!("cut -d' ' -f3,22 /proc/{}/stat", owner.pid);
    let other = unprivileged(captured(&[])).sh(&stat).run();
    let fields: Vec<String> = other.text().split_whitespace().map(str::to_owned).collect();
    assert_eq!(fields.len(), 2, "{fields:?}");
    assert_ne!(fields[1], "0");
    owner.end();
}

#[test]
fn a_helper_below_a_helper_is_swept_all_the_same() {
    let mut owner = unprivileged(captured(&[]))
        .sh("exec 3<&0; setsid \"$HELPER\" -- sleep 1000 <&3 & echo $!; read x")
        .env("HELPER", crate::harness::helper_path())
        .start();
    owner.read_started();
    eventually("the other helper runs its program", || {
        let alive = owner.mark.alive();
        alive.iter().any(|process| process.name == "sleep")
    });
    while !matches!(owner.next(), Some(Frame::Stdout(_))) {}
    owner.end();
}
