// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A helper whose event loop fails, with a UDP socket as its stdin: after a datagram to a port where nobody listens, a
//! read returns `ECONNREFUSED`.

use crate::groups::Group;
use crate::harness::pid_of;
use crate::processes::{Mark, eventually, orphan};
use crate::setup::{Setup, plain};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// Starts a helper, makes its loop fail when `count` processes run, and checks that it reports that and that none of
/// them is left.
#[track_caller]
fn fail(setup: &Setup, count: usize) {
    let mark = Mark::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect("127.0.0.1:1").unwrap();
    let mut command: Command = setup.command(&mark);
    command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(
            setup
                .errors
                .as_ref()
                .map_or_else(Stdio::piped, |fd| Stdio::from(fd.try_clone().unwrap())),
        )
        .spawn()
        .unwrap();
    mark.add_helper(pid_of(&child));
    // The command holds a copy of the descriptor.
    drop(command);
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    // The helper counts, too.
    mark.wait_for(count + 1);
    socket.send(b"x").unwrap();
    let mut status = None;
    eventually("the helper exits", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let alive = mark.alive();
    assert_eq!(status.unwrap().code(), Some(125));
    assert_eq!(alive, vec![]);
    if let Some(stderr) = child.stderr.take() {
        let errors = std::io::read_to_string(stderr).unwrap();
        assert!(errors.contains("the event loop failed: "), "{errors}");
    }
}

/// With a stderr that takes nothing.
#[track_caller]
pub fn fail_without_a_word(errors: OwnedFd) {
    fail(&plain(&[]).sh(STUBBORN).errors(errors), 4);
}

const STUBBORN: &str = concat!(
    "trap '' TERM; exec 2>&-; setsid sleep 1000 >&- & ",
    orphan!(),
    "; for d in $SUB; do mkdir $d; done; echo ready; while :; do sleep 1000; done"
);

#[test]
fn kills_all_that_was_started() {
    fail(&plain(&[]).sh(STUBBORN), 4);
}

#[test]
fn kills_a_program_that_may_leave_orphans_when_it_exits() {
    let script = "setsid sleep 1000 >&- 2>&- & echo ready; kill -STOP $$";
    fail(&plain(&["--orphans", "leave"]).sh(script), 2);
}

#[test]
#[ignore = "needs cgroups"]
fn removes_the_group() {
    let group = Group::new("loop");
    let setup = plain(&["--group", &group.name]).sh(STUBBORN);
    fail(&setup.env("SUB", group.below().join(" ")), 4);
    group.assert_removed();
}
