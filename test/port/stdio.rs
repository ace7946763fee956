// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Which descriptors the helper accepts for the stream to its owner.

use crate::frames::{self, Frame};
use crate::harness::{captured, framed, plain};
use crate::processes::{Mark, TIMEOUT, eventually};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Starts the helper with a stdin that cannot be used, and returns its message on stderr.
#[track_caller]
fn refused(framed_or_not: crate::harness::Setup, redirection: &str) -> String {
    let script = format!("exec \"$@\" {redirection}");
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");
    let mut owner = framed_or_not
        .sh("touch \"$RAN\"")
        .env("RAN", &ran)
        .via(&["sh", "-c", &script, "sh"])
        .start();
    eventually("the helper exits", || owner.has_exited());
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(125), "{redirection}");
    assert!(!ran.exists(), "{redirection}: the program ran");
    let errors = outcome.errors;
    assert!(errors.starts_with("muontrap: "), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors
}

#[test]
fn stdin_that_never_ends_is_refused() {
    for redirection in ["< /dev/null", "< /etc/passwd", "<&-", "< /", "< /dev/zero"] {
        for setup in [plain(&[]), framed(&[])] {
            let errors = refused(setup, redirection);
            assert!(
                errors.contains("stdin is not a pipe, socket or terminal"),
                "{redirection}: {errors}"
            );
        }
    }
}

#[test]
fn descriptors_that_are_not_open_are_refused() {
    let errors = refused(framed(&["--fds", "3,1"]), "3<&-");
    assert!(errors.contains("descriptor 3"), "{errors}");
    let errors = refused(framed(&["--fds", "0,4"]), "4>&-");
    assert!(errors.contains("descriptor 4"), "{errors}");
}

#[test]
fn other_descriptors_for_the_protocol() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("own");
    std::fs::write(&own, "from a file\n").unwrap();
    // The program has the helper's own stdin, stdout and stderr.
    let mut owner = framed(&["--fds", "3,4"])
        .sh("cat; echo out; echo err >&2; read x; exec sleep 1000")
        .env("OWN", &own)
        .via(&[
            "sh",
            "-c",
            "exec 3<&0 4>&1 <\"$OWN\" >\"$OWN.out\"; exec \"$@\"",
            "sh",
        ])
        .start();
    owner.read_started();
    let written = directory.path().join("own.out");
    eventually("the program writes", || {
        std::fs::read_to_string(&written).unwrap() == "from a file\nout\n"
    });
    owner.send(&frames::stop());
    let outcome = owner.finish();
    assert_eq!(outcome.report().code, 15);
    assert_eq!(outcome.errors, "err\n");
}

#[test]
fn other_descriptors_do_not_reach_the_program() {
    let outcome = captured(&["--fds", "3,4"])
        .odd("inherited")
        .via(&[
            "sh",
            "-c",
            "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$@\"",
            "sh",
        ])
        .run();
    assert!(
        outcome.text().starts_with("Open:\t0,1,2\n"),
        "{}",
        outcome.text()
    );
}

#[test]
fn the_owner_on_other_descriptors_goes_away() {
    let mut owner = framed(&["--fds", "3,4"])
        .program(&["sleep", "1000"])
        .via(&[
            "sh",
            "-c",
            "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$@\"",
            "sh",
        ])
        .start();
    owner.read_started();
    owner.end();
}

#[test]
fn stdout_and_stderr_may_be_closed() {
    let mut owner = plain(&[])
        .sh("exit 6")
        .via(&["sh", "-c", "exec \"$@\" >&- 2>&-", "sh"])
        .start();
    eventually("the helper exits", || owner.has_exited());
    assert_eq!(owner.end().status.code(), Some(6));
}

/// One socket is both the helper's stdin and its stdout.
fn on_a_socket(how_it_ends: fn(&mut UnixStream)) -> Vec<Frame> {
    let mark = Mark::new();
    let (mut socket, other) = UnixStream::pair().unwrap();
    let setup = captured(&[]).sh("echo ready; exec sleep 1000");
    let mut command = setup.command(&mark);
    command.stdin(OwnedFd::from(other.try_clone().unwrap()));
    command.stdout(OwnedFd::from(other));
    let mut child = command.spawn().unwrap();
    drop(command);
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.write_all(&setup.opening()).unwrap();
    how_it_ends(&mut socket);
    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        frames.extend(std::iter::from_fn(|| frames::take(&mut bytes)));
        if matches!(frames.last(), Some(Frame::Exited(_))) {
            let _ = socket.shutdown(Shutdown::Write);
        }
        if count == 0 {
            break;
        }
    }
    child.wait().unwrap();
    assert!(mark.alive().is_empty());
    frames
}

#[test]
fn a_socket_is_as_good_as_two_pipes() {
    let frames = on_a_socket(|socket| socket.write_all(&frames::stop()).unwrap());
    assert!(matches!(frames.first(), Some(Frame::Started { .. })));
    assert!(matches!(frames.last(), Some(Frame::Exited(_))));
    let frames = on_a_socket(|socket| socket.shutdown(Shutdown::Write).unwrap());
    assert!(!matches!(frames.last(), Some(Frame::Failed(_))));
}
