// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A client that acknowledges output by reading it.

use crate::answer::{Answer, parse, read_frame};
use crate::client::{Server, Session};
use crate::flow::blocks_without_acknowledgement;
use crate::frames::{self, Frame, PROTOCOL, field, number};
use crate::harness::{captured, helper_path};
use crate::output::seq;
use crate::processes::{Mark, eventually, state};
use nix::sys::socket::{MsgFlags, recv};
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

/// Length and tag of some frames.
const HEADERS: usize = 300;

/// A program with this window. Its client never sends ACK once the session has agreed to that.
#[track_caller]
fn reader(server: &Server, window: u32, program: &[&str]) -> Session {
    reader_with(server, &number(19, window), program)
}

#[track_caller]
fn reader_with(server: &Server, fields: &[u8], program: &[&str]) -> Session {
    let mut session = server.run(program, fields);
    session.send(&frames::ack_by_reading());
    // The session answers however full the window is.
    session.acks = false;
    loop {
        match session.next() {
            Some(Answer::Frame(Frame::AckedByReading)) => return session,
            Some(Answer::Frame(Frame::Stdout(_) | Frame::Stderr(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn read_more(session: &mut Session, bytes: usize) {
    let end = session.stdout.len() + bytes;
    while session.stdout.len() < end {
        let answer = session.next();
        assert!(
            matches!(answer, Some(Answer::Frame(Frame::Stdout(_)))),
            "{answer:?}"
        );
    }
}

/// Waits until the session sends no more, and returns how much has not been read.
fn wait_until_full(session: &Session) -> usize {
    let mut bytes = vec![0; 2 << 20];
    let mut unread = 0;
    eventually("the program is blocked", || {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        let before = unread;
        unread = recv(session.stream.as_raw_fd(), &mut bytes, flags).unwrap_or(0);
        let sleeps = [session.pid, session.program].map(state) == [b'S'; 2];
        sleeps && unread > 0 && unread == before
    });
    unread
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs to see what was read")]
fn it_gets_all_output_with_any_window() {
    let mut server = Server::start();
    for window in [1, 100, 10_240, 1 << 20] {
        let last = if window == 1 { 5_000 } else { 200_000 };
        let mut session = reader(&server, window, &["seq", "1", &last.to_string()]);
        let report = session.report();
        assert_eq!(session.text(), seq(last));
        assert_eq!(report.stdout_bytes, session.stdout.len() as u64);
        // Nothing follows EXITED.
        session.send(&frames::ack_by_reading());
        session.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(session.next(), None);
        server.await_end(&session);
    }
    server.finish();
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs to see what was read")]
fn no_more_than_the_window_is_unread() {
    let server = Server::start();
    for window in [100, 10_240, 60_000] {
        let mut session = reader(&server, window, &["yes"]);
        let window = window as usize;
        for round in 0..3 {
            read_more(&mut session, 100 * window);
            // It has no effect any more.
            session.send(&frames::ack(1_000_000));
            let unread = wait_until_full(&session);
            assert!(unread <= window + HEADERS, "{unread} in round {round}");
        }
    }
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs to see what was read")]
fn it_can_stop_the_program_while_it_reads() {
    let server = Server::start();
    let mut session = reader(&server, 10_240, &["yes"]);
    read_more(&mut session, 10_000_000);
    session.send(&frames::stop());
    assert_eq!(session.report().status(), 128 + 15);
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs to see what was read")]
fn the_end_of_the_program_is_noticed_while_it_reads() {
    let server = Server::start();
    let script = ["sh", "-c", "yes & read line; exit 3"];
    let mut session = reader(&server, 10_240, &script);
    read_more(&mut session, 10_000_000);
    session.send(&frames::input(b"line\n"));
    let report = session.report();
    assert_eq!((report.code, report.swept), (3, 1));
}

/// The flood goes on meanwhile.
fn the_other_stream_is_noticed(session: &mut Session) {
    read_more(session, 10_000_000);
    session.send(&frames::input(b"line\n"));
    while session.stderr.is_empty() {
        let answer = session.next();
        assert!(
            matches!(
                answer,
                Some(Answer::Frame(
                    Frame::Stdout(_) | Frame::Stderr(_) | Frame::InputAck { .. }
                ))
            ),
            "{answer:?}"
        );
    }
    assert_eq!(session.stderr, b"late\n");
    session.send(&frames::stop());
    assert_eq!(session.report().status(), 128 + 15);
}

const LATE_STDERR: [&str; 3] = [
    "sh",
    "-c",
    "yes & read line; echo late >&2; exec sleep 1000",
];

#[test]
#[cfg_attr(feature = "portable", ignore = "needs to see what was read")]
fn the_other_stream_is_noticed_while_it_reads() {
    let server = Server::start();
    let fields = [number(19, 10_240), field(18, b"capture")].concat();
    the_other_stream_is_noticed(&mut reader_with(&server, &fields, &LATE_STDERR));
}

#[test]
fn the_other_stream_is_noticed_while_it_acknowledges() {
    let server = Server::start();
    let fields = [number(19, 10_240), field(18, b"capture")].concat();
    the_other_stream_is_noticed(&mut server.run(&LATE_STDERR, &fields));
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs to see what was read")]
fn both_streams_come_after_the_death_of_the_program() {
    let mut server = Server::start();
    let fields = [number(19, 100), field(18, b"capture")].concat();
    let script = "seq 1 5000 & seq 1 5000 >&2; wait; exit 3";
    for _ in 0..20 {
        let mut session = reader_with(&server, &fields, &["sh", "-c", script]);
        // The pipes take all of it.
        eventually("the program is dead", || state(session.program) == b'X');
        assert_eq!(session.report().code, 3);
        assert_eq!(session.text(), seq(5_000));
        assert_eq!(session.stderr, seq(5_000).into_bytes());
        server.disconnect(&session);
    }
    server.finish();
}

#[test]
fn it_is_not_seen_of_a_socket_for_one_direction() {
    let mark = Mark::new();
    let (mut stream, output) = UnixStream::pair().unwrap();
    let mut helper = Command::new(helper_path())
        .arg("--framed")
        .env(Mark::VARIABLE, mark.value())
        .stdin(Stdio::piped())
        .stdout(OwnedFd::from(output))
        .spawn()
        .unwrap();
    let mut input = helper.stdin.take().unwrap();
    let fields = [field(1, b"seq"), field(2, b"1"), field(2, b"5000")];
    let fields = [
        fields.concat(),
        field(4, b"/"),
        field(17, b"capture"),
        number(19, 100),
    ];
    let start = frames::start(&fields.concat());
    let opening = [
        frames::hello(PROTOCOL, b""),
        start,
        frames::ack_by_reading(),
    ];
    input.write_all(&opening.concat()).unwrap();
    let (mut bytes, mut output) = (Vec::new(), Vec::new());
    while let Some(frame) = read_frame(&mut stream, &mut bytes) {
        match parse(&frame) {
            Answer::Frame(Frame::Stdout(bytes)) => {
                output.extend_from_slice(&bytes);
                let count = u32::try_from(bytes.len()).unwrap();
                input.write_all(&frames::ack(count)).unwrap();
            }
            Answer::Frame(Frame::Started { .. }) => {}
            Answer::Frame(Frame::Exited(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(output, seq(5_000).into_bytes());
    drop(input);
    assert_eq!(helper.wait().unwrap().code(), Some(0));
}

#[test]
fn of_a_pipe_it_cannot_be_seen_so_that_frames_acknowledge() {
    let mut owner = captured(&["--stdio-window", "10240"])
        .program(&["yes"])
        .start();
    owner.acks = false;
    owner.send(&frames::ack_by_reading());
    owner.read_started();
    blocks_without_acknowledgement(&mut owner);
    owner.end();
}
