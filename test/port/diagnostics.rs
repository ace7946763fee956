// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A helper with messages for a stderr that takes nothing. It does its work all the same.

use crate::frames;
use crate::harness::{Setup, captured, framed, helper_path, plain};
use crate::sweeping::leaving_one_that_becomes_root;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::termios::{FlowArg, tcflow};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// A stderr that takes nothing, and the other end, which has to stay open.
struct Broken {
    kind: &'static str,
    fd: OwnedFd,
    _other_end: Option<OwnedFd>,
}

fn broken(kind: &'static str, fd: impl Into<OwnedFd>, other_end: Option<OwnedFd>) -> Broken {
    Broken {
        kind,
        fd: fd.into(),
        _other_end: other_end,
    }
}

fn open_to_write(path: &str) -> File {
    File::options().write(true).open(path).unwrap()
}

/// A full pipe: the ends to write to and to read from.
pub fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut file = File::from(writer);
    while file.write(&[b'x'; 4096]).is_ok() {}
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    (file.into(), reader)
}

fn without_a_reader() -> Broken {
    let (_, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    broken("a pipe without a reader", writer, None)
}

fn full_socket() -> Broken {
    let (socket, other_end) = std::os::unix::net::UnixStream::pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    while (&socket).write(&[b'x'; 4096]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    broken("a socket that nobody reads", socket, Some(other_end.into()))
}

fn stopped_terminal() -> Broken {
    let pair = nix::pty::openpty(None, None).unwrap();
    tcflow(&pair.slave, FlowArg::TCOOFF).unwrap();
    broken("a stopped terminal", pair.slave, Some(pair.master))
}

fn all() -> [Broken; 6] {
    let (fd, reader) = full_pipe();
    let full = broken("a pipe that nobody reads", fd, Some(reader));
    [
        broken("a full device", open_to_write("/dev/full"), None),
        broken("not open to write", File::open("/dev/null").unwrap(), None),
        without_a_reader(),
        full,
        full_socket(),
        stopped_terminal(),
    ]
}

#[test]
fn a_program_that_is_not_there() {
    for Broken { kind, fd, .. } in all() {
        let owner = plain(&[]).program(&["no-such-program"]).errors(fd).start();
        assert_eq!(owner.exit_status(), 127, "{kind}");
    }
}

#[test]
fn mistakes_on_the_command_line() {
    let long = "x".repeat(100_000);
    for Broken { kind, fd, .. } in all() {
        for flags in [&["--bogus"][..], &["--uid", "no-such-user"], &["-k", &long]] {
            let fd = fd.try_clone().unwrap();
            let owner = plain(flags).program(&["true"]).errors(fd).start();
            assert_eq!(owner.exit_status(), 125, "{kind}");
        }
    }
}

#[test]
fn a_stdin_that_cannot_be_closed() {
    for Broken { kind, fd, .. } in all() {
        let shell = ["sh", "-c", "exec \"$@\" </dev/null", "sh"];
        let setup = plain(&[]).program(&["true"]).via(&shell);
        assert_eq!(setup.errors(fd).start().exit_status(), 125, "{kind}");
    }
}

#[test]
fn sub_commands_and_the_doctor() {
    for Broken { kind, fd, .. } in all() {
        for words in [
            &["cgroup-get", "--bogus"][..],
            &["cgroup-get", "--group", "no-such-group"],
            &["cgroup-clean", "--group", ".."],
            &["doctor", "--bogus"],
            &["doctor", "--need", ","],
        ] {
            let status = Command::new(helper_path())
                .args(words)
                .stderr(fd.try_clone().unwrap())
                .stdout(fd.try_clone().unwrap())
                .status();
            assert_eq!(status.unwrap().code(), Some(125), "{words:?}: {kind}");
        }
    }
}

#[test]
fn help_that_cannot_be_printed() {
    for Broken { kind, fd, .. } in [
        without_a_reader(),
        broken("full", open_to_write("/dev/full"), None),
    ] {
        for words in [
            &["--help"][..],
            &["--version"],
            &["cgroup-get", "--help"],
            &["doctor", "--help"],
            &["doctor"],
        ] {
            let status = Command::new(helper_path())
                .args(words)
                .stderr(fd.try_clone().unwrap())
                .stdout(fd.try_clone().unwrap())
                .status();
            let code = status.unwrap().code();
            assert!(matches!(code, Some(0 | 1)), "{words:?}: {kind}: {code:?}");
        }
    }
}

/// Ignores SIGTERM and has left something in the background, neither of which holds stderr open.
fn stubborn(flags: &[&str]) -> Setup {
    captured(flags).sh(
        "exec 2>/dev/null; trap '' TERM; setsid sleep 1000 & echo ready; while :; do sleep 1; done",
    )
}

#[test]
fn a_protocol_error_stops_the_program() {
    for Broken { kind, fd, .. } in all() {
        let mut owner = stubborn(&["-k", "100"]).errors(fd).start_until("ready");
        owner.send(&frames::frame(0x77, b""));
        assert_eq!(owner.exit_status(), 125, "{kind}");
    }
}

#[test]
fn the_owner_goes_after_a_protocol_error() {
    for Broken { kind, fd, .. } in all() {
        let mut owner = stubborn(&["-k", "100"]).errors(fd).start_until("ready");
        owner.send(&frames::frame(0x77, b""));
        assert_eq!(owner.end().status.code(), Some(125), "{kind}");
    }
}

#[test]
fn a_failure_is_told_to_the_owner() {
    for Broken { kind, fd, .. } in all() {
        let outcome = framed(&[]).program(&["/no/such"]).errors(fd).run();
        assert_eq!(outcome.failure().status, 127, "{kind}");
    }
}

#[test]
fn a_loop_that_fails_kills_all() {
    for Broken { fd, .. } in all() {
        crate::failing_loop::fail_without_a_word(fd);
    }
}

#[test]
#[ignore = "needs root"]
fn a_process_that_cannot_be_killed_is_reported() {
    for Broken { kind, fd, .. } in all() {
        let (_directory, setup) = leaving_one_that_becomes_root();
        let mut owner = setup.errors(fd).start_until("ready");
        owner.send(&frames::input_eof());
        owner.read_to_last();
        let (outcome, _mark) = owner.end_with_survivors();
        let report = outcome.report();
        assert_eq!((report.code, report.survivors), (3, 1), "{kind}");
    }
}

#[test]
#[ignore = "needs strace"]
fn what_is_said_is_one_short_write() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let number = "x".repeat(100_000);
    let output = Command::new("strace")
        .args(["-f", "-e", "trace=write", "-o"])
        .arg(&log)
        .args([helper_path(), "--delay-to-sigkill", &number, "--", "true"])
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    let calls = std::fs::read_to_string(log).unwrap();
    let calls = calls.lines().filter(|line| line.contains("write("));
    assert_eq!(calls.count(), 1);
    assert_eq!(output.stderr.len(), libc::PIPE_BUF);
    assert!(output.stderr.ends_with(b"\n"));
}
