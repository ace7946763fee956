// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Programs with a terminal of their own.

use crate::answer::Answer;
use crate::client::{Server, Session};
use crate::frames::{self, Frame, Report, field};
use crate::odd_programs::pattern;
use crate::processes::{eventually, is_alive, state};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, getsid};

const ENDED_BY_SIGNAL: u8 = 1;

/// Fields of START for a terminal of 24 rows and 80 columns.
fn terminal(echo: u8) -> Vec<u8> {
    [field(18, b"stdout"), field(27, &[0, 24, 0, 80, echo])].concat()
}

fn start(server: &Server, program: &[&str]) -> Session {
    server.run(program, &terminal(0))
}

fn sh(server: &Server, script: &str) -> Session {
    start(server, &["sh", "-c", script])
}

/// What a script writes to a terminal, and its report.
#[track_caller]
fn output(script: &str) -> (String, Report) {
    let server = Server::start();
    let mut session = sh(&server, script);
    let report = session.report();
    let text = session.text();
    drop(session);
    server.finish();
    (text, report)
}

#[track_caller]
fn text(script: &str) -> String {
    let (text, report) = output(script);
    assert_eq!((report.how, report.code), (0, 0), "{text}");
    text
}

#[test]
fn all_three_streams_are_the_terminal() {
    let script =
        "tty; for i in 0 1 2; do readlink /proc/$$/fd/$i; done; ls /proc/$$/fd; echo err >&2";
    let text = text(script);
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert!(lines[0].starts_with("/dev/pts/"), "{text}");
    assert!(lines[1..4].iter().all(|line| *line == lines[0]), "{text}");
    let descriptors: Vec<&str> = lines[4].split_whitespace().collect();
    assert_eq!(descriptors, ["0", "1", "2"], "{text}");
    assert_eq!(lines[5], "err");
}

#[test]
fn it_is_the_controlling_terminal_of_a_session_of_the_program() {
    assert_eq!(text("echo from tty > /dev/tty"), "from tty\r\n");
    let server = Server::start();
    let mut session = sh(&server, "echo ready; exec sleep 1000");
    session.read_until("ready");
    let pid = Pid::from_raw(session.program);
    assert_eq!(getsid(Some(pid)), Ok(pid));
    session.send(&frames::stop());
    session.report();
    drop(session);
    server.finish();
}

#[test]
fn it_has_a_size_and_modes() {
    assert_eq!(text("stty size"), "24 80\r\n");
    let modes = text("stty -a");
    assert!(
        modes.contains(" -echo ") && modes.contains(" iutf8"),
        "{modes}"
    );
    let server = Server::start();
    let mut session = server.run(&["sh", "-c", "stty -a"], &terminal(1));
    session.report();
    assert!(session.text().contains(" echo "), "{}", session.text());
    drop(session);
    server.finish();
}

#[test]
fn input_is_echoed() {
    let server = Server::start();
    let mut session = server.run(&["cat"], &terminal(1));
    session.send(&frames::input(b"hello\n"));
    session.read_until("hello\r\nhello\r\n");
    session.send(&frames::input_eof());
    assert_eq!(session.report().code, 0);
    assert_eq!(session.text(), "hello\r\nhello\r\n");
    drop(session);
    server.finish();
}

#[test]
fn the_end_of_input_is_a_character() {
    let server = Server::start();
    for (input, expected) in [
        ("", ""),
        ("line\n", "line\r\n"),
        ("in a line", "in a line"),
        ("line\nin a line", "line\r\nin a line"),
        // It was the end of the first line, so the next one is the end of input.
        ("in a line\x04", "in a line"),
    ] {
        let mut session = start(&server, &["cat"]);
        session.send(&frames::input(input.as_bytes()));
        session.send(&frames::input_eof());
        session.send(&frames::input_eof());
        let mut written = 0;
        loop {
            match session.next() {
                Some(Answer::Frame(Frame::Exited(report))) => {
                    assert_eq!(report.code, 0);
                    break;
                }
                Some(Answer::Frame(Frame::InputAck { written: count, .. })) => written += count,
                Some(Answer::Frame(Frame::Stdout(_))) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(session.text(), expected);
        // The character is not the client's.
        assert_eq!(u64::from(written), input.len() as u64);
    }
    server.finish();
}

#[test]
fn keys_are_bytes() {
    let server = Server::start();
    let mut session = sh(&server, "echo ready; exec sleep 1000");
    session.read_until("ready");
    session.send(&frames::input(b"\x03"));
    let report = session.report();
    assert_eq!((report.how, report.code), (ENDED_BY_SIGNAL, 2));
    drop(session);
    let mut session = sh(
        &server,
        "trap 'echo bye; exit 3' INT; echo ready; while :; do read x; done",
    );
    session.read_until("ready");
    session.send(&frames::input(b"\x03"));
    assert_eq!(session.report().code, 3);
    assert_eq!(session.text(), "ready\r\nbye\r\n");
    drop(session);
    // No shell could continue the program.
    let mut session = sh(&server, "echo ready; exec cat");
    session.read_until("ready");
    session.send(&frames::input(b"\x1agoes on\n"));
    session.read_until("goes on");
    session.send(&frames::input_eof());
    assert_eq!(session.report().code, 0);
    drop(session);
    server.finish();
}

#[test]
fn all_output_comes_before_the_end() {
    let size = 1_000_000;
    let script = format!("stty -opost; head -c {size} /dev/zero; printf end; exit 7");
    let server = Server::start();
    for window in [1_000_u32, 10_240, 1_000_000] {
        let fields = [terminal(0), frames::number(19, window)].concat();
        let mut session = server.run(&["sh", "-c", &script], &fields);
        let report = session.report();
        assert_eq!(report.code, 7);
        assert_eq!(
            (session.stdout.len(), report.stdout_bytes),
            (size + 3, size as u64 + 3)
        );
        assert!(session.stdout.ends_with(b"\0end"));
    }
    // Output that fills the terminal stays in it until the program is gone.
    let mut session = server.connect();
    session.send(&frames::hello(frames::PROTOCOL, &server.token));
    let script = "stty -opost; head -c 10000 /dev/zero";
    let fields = [terminal(0), frames::number(19, 1)].concat();
    session.send(&session.start_frame(&["sh", "-c", script], &fields));
    session.read_started();
    eventually("the program exits", || !is_alive(session.program));
    session.report();
    assert_eq!(session.stdout.len(), 10_000);
    drop(session);
    server.finish();
}

#[test]
fn much_input_arrives() {
    let bytes = pattern(900_000);
    let server = Server::start();
    let mut session = sh(
        &server,
        "stty raw; echo ready; head -c 900000 | cksum; exit 5",
    );
    session.read_until("ready");
    session.send(&frames::input(&bytes));
    assert_eq!(session.report().code, 5);
    let expected = std::process::Command::new("cksum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut expected = expected.unwrap();
    std::io::Write::write_all(expected.stdin.as_mut().unwrap(), &bytes).unwrap();
    let expected = expected.wait_with_output().unwrap().stdout;
    let expected = String::from_utf8(expected).unwrap();
    assert!(
        session.text().contains(expected.trim()),
        "{}",
        session.text()
    );
    drop(session);
    server.finish();
}

#[test]
fn a_new_size_is_a_signal() {
    let server = Server::start();
    let script = "trap 'stty size; exit 4' WINCH; echo ready; while :; do read x; done";
    let mut session = sh(&server, script);
    session.read_until("ready");
    session.send(&frames::resize(50, 132));
    assert_eq!(session.report().code, 4);
    assert_eq!(session.text(), "ready\r\n50 132\r\n");
    drop(session);
    server.finish();
}

#[test]
fn without_a_terminal_there_is_no_size() {
    let server = Server::start();
    let mut session = server.sh("echo ready; exec sleep 1000");
    session.read_until("ready");
    session.send(&frames::resize(50, 132));
    // The session stops the program, and exits without EXITED.
    assert!(session.next().is_none());
    drop(session);
    server.finish();
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn what_ignores_the_hangup_is_swept() {
    let script = "trap '' HUP; set -m; sleep 1000 & setsid sleep 1000 & (sleep 1000; :) & exit 3";
    let (_, report) = output(script);
    assert_eq!((report.code, report.survivors), (3, 0));
    assert!(report.swept >= 3, "{}", report.swept);
}

#[test]
fn nothing_is_left_when_the_client_or_the_session_dies() {
    let mut server = Server::start();
    let script =
        "trap '' HUP TERM INT; sleep 1000 & echo ready; while :; do read x || sleep 1; done";
    for kills in [false, true] {
        let mut session = sh(&server, script);
        session.read_until("ready");
        if kills {
            kill(Pid::from_raw(session.pid), Signal::SIGKILL).unwrap();
        } else {
            session.stream.shutdown(std::net::Shutdown::Both).unwrap();
        }
        server.watch(session.number, session.pid, 0);
        assert!(!is_alive(session.program));
    }
    server.finish();
}

#[test]
fn a_program_that_reads_nothing_stops_input_and_not_the_session() {
    let server = Server::start();
    let mut session = sh(&server, "stty raw; echo ready; exec sleep 1000");
    session.read_until("ready");
    session.send(&frames::input(&pattern(100_000)));
    eventually("the program sleeps", || state(session.program) == b'S');
    session.send(&frames::stop());
    assert_eq!(session.report().how, ENDED_BY_SIGNAL);
    drop(session);
    server.finish();
}

#[test]
fn it_belongs_to_the_programs_user() {
    if !Uid::effective().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let server = Server::start();
    let fields = [terminal(0), field(48, b"65534"), field(5, b"/")].concat();
    let script = "stat -c '%u %a' $(tty); echo opened > $(tty); stty size; head -n 1 < $(tty)";
    let mut session = server.run(&["sh", "-c", script], &fields);
    session.send(&frames::input(b"line\n"));
    let report = session.report();
    assert_eq!(report.code, 0, "{}", session.text());
    assert_eq!(session.text(), "65534 620\r\nopened\r\n24 80\r\nline\r\n");
    drop(session);
    server.finish();
}
