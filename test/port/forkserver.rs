// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A fork server and its client: which connections are accepted, and what a session inherits.

use crate::answer::Answer;
use crate::client::Server;
use crate::frames::{self, Frame, PROTOCOL, field, frame, hello, number};
use crate::harness::helper_path;
use crate::odd_programs;
use crate::processes::{Process, eventually, field as field_of, status_field};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{Command, Stdio};

#[test]
fn a_program_runs_to_its_end() {
    let mut server = Server::start();
    let mut session = server.sh("echo out; echo $0; exit 3");
    let report = session.report();
    assert_eq!((report.how, report.code), (0, 3));
    assert_eq!(session.text(), "out\nsh\n");
    assert_eq!(server.disconnect(&session), (0, 3, 0));
    server.finish();
}

#[test]
fn what_comes_along_with_start_is_obeyed() {
    let server = Server::start();
    let mut session = server.connect();
    let start = session.start_frame(&["cat"], &[]);
    let greeting = hello(PROTOCOL, &server.token);
    let input = frames::input(b"line\n");
    session.send(&[greeting, start, input, frames::input_eof()].concat());
    session.read_started();
    assert_eq!(session.report().code, 0);
    assert_eq!(session.text(), "line\n");
}

#[test]
fn started_names_session_and_program_for_good() {
    let server = Server::start();
    let mut session = server.connect();
    session.send(&hello(PROTOCOL, &server.token));
    let start = session.start_frame(&["sleep", "1000"], &[]);
    session.send(&start);
    let Some(Answer::Frame(Frame::Started {
        session: pid,
        program,
        start_time,
        cgroups,
    })) = session.next()
    else {
        panic!("not started");
    };
    let process = Process::find(program).unwrap();
    assert_eq!((process.ppid, process.started), (pid, start_time));
    assert_eq!(Process::find(pid).unwrap().ppid, server.pid);
    assert_eq!(cgroups, []);
}

#[test]
fn a_session_is_recognisable() {
    let server = Server::start();
    let session = server.run(&["sleep", "1000"], &[]);
    assert_eq!(Process::find(session.pid).unwrap().name, "muontrap: sleep");
    let line = fs::read(format!("/proc/{}/cmdline", session.pid)).unwrap();
    let line = String::from_utf8_lossy(&line).into_owned();
    assert!(line.starts_with("muontrap: sleep 1000"), "{line}");
}

#[test]
fn nothing_of_the_fork_server_reaches_a_program() {
    let server = Server::start();
    let _other = server.run(&["sleep", "1000"], &[]);
    let program = odd_programs::path();
    let asked = format!("{}=inherited", odd_programs::VARIABLE);
    let mut session = server.run(&[&program], &field(8, asked.as_bytes()));
    session.report();
    let mut owner = crate::harness::captured(&[]).odd("inherited").start();
    owner.read_to_last();
    let alone = String::from_utf8_lossy(&owner.stdout).into_owned();
    let together = session.text();
    for name in [
        "Open", "Umask", "SigPnd", "SigBlk", "SigIgn", "SigCgt", "CapEff", "Groups", "Threads",
    ] {
        assert_eq!(field_of(&together, name), field_of(&alone, name));
    }
}

#[test]
fn nothing_that_a_fork_server_inherits_reaches_a_program() {
    let server = Server::polluted();
    let program = odd_programs::path();
    let asked = format!("{}=inherited", odd_programs::VARIABLE);
    let mut session = server.run(&[&program], &field(8, asked.as_bytes()));
    session.report();
    let text = session.text();
    assert_eq!(field_of(&text, "Open"), "0,1,2");
    for mask in ["SigIgn", "SigBlk", "SigCgt", "SigPnd", "ShdPnd"] {
        assert_eq!(field_of(&text, mask), "0000000000000000", "{mask}");
    }
}

#[test]
fn a_program_has_its_clients_directory_and_environment_and_no_other() {
    let server = Server::start();
    let mut session = server.connect();
    session.send(&hello(PROTOCOL, &server.token));
    let fields = [
        field(1, b"env"),
        field(4, b"/usr"),
        field(6, b"PATH=/usr/bin:/bin"),
        field(6, b"A=1"),
        field(8, b"B=2"),
        field(17, b"capture"),
    ];
    session.send(&frame(0x08, &fields.concat()));
    session.read_started();
    session.report();
    assert_eq!(session.text(), "PATH=/usr/bin:/bin\nA=1\nB=2\n");
    let mut session = server.connect();
    session.send(&hello(PROTOCOL, &server.token));
    let fields = [
        field(1, b"/bin/pwd"),
        field(4, b"/usr"),
        field(5, b"bin"),
        field(17, b"capture"),
    ];
    session.send(&frame(0x08, &fields.concat()));
    session.read_started();
    session.report();
    assert_eq!(session.text(), "/usr/bin\n");
}

#[test]
fn the_path_of_the_client_decides() {
    let server = Server::start();
    let start = |fields: &[Vec<u8>]| {
        let mut session = server.connect();
        session.send(&hello(PROTOCOL, &server.token));
        session.send(&frame(0x08, &fields.concat()));
        session
    };
    let path = field(6, b"PATH=/nowhere");
    let mut session = start(&[field(1, b"true"), path.clone(), field(8, b"PATH=/bin")]);
    let failed = session.failure();
    assert_eq!((failed.status, failed.errno), (127, libc::ENOENT));
    // Relative to the client's directory, and with a slash in the name.
    let relative = field(6, b"PATH=nowhere::");
    let mut session = start(&[field(1, b"bin/true"), relative, field(4, b"/usr")]);
    session.read_started();
    assert_eq!(session.report().code, 0);
}

#[test]
fn an_environment_is_given_once() {
    let mut server = Server::start();
    let run = |server: &Server, number: u64| {
        let mut session = server.connect();
        session.send(&hello(PROTOCOL, &server.token));
        let fields = [
            field(1, b"/usr/bin/env"),
            field(7, &number.to_be_bytes()),
            field(17, b"capture"),
        ];
        session.send(&frame(0x08, &fields.concat()));
        session
    };
    let give = |number: u64, value: &str| {
        let payload = [&number.to_be_bytes()[..], &field(6, value.as_bytes())];
        frame(0x42, &payload.concat())
    };
    let mut session = run(&server, 1);
    assert_eq!(session.next(), Some(Answer::EnvironmentWanted));
    let start = session.start_frame(&["true"], &[]);
    session.send(&start);
    session.read_started();
    server.send(&give(1, "A=1"));
    server.send(&give(2, "A=2"));
    // The answer comes after what was sent before.
    server.counts();
    let mut session = run(&server, 2);
    session.read_started();
    session.report();
    assert_eq!(session.text(), "A=2\n");
    assert_eq!(run(&server, 1).next(), Some(Answer::EnvironmentWanted));
}

#[test]
fn a_session_finds_out_the_directory_of_its_client() {
    let server = Server::start();
    // That takes /proc.
    assert_eq!(server.finds_directory, !cfg!(feature = "portable"));
    let mut session = server.connect();
    session.send(&hello(PROTOCOL, &server.token));
    let fields = [field(1, b"/bin/pwd"), field(17, b"capture"), number(12, 1)];
    session.send(&frame(0x08, &fields.concat()));
    if !server.finds_directory {
        assert_eq!(session.next(), Some(Answer::EnvironmentWanted));
        return;
    }
    session.read_started();
    assert_eq!(session.report().code, 0);
    let own = std::env::current_dir().unwrap();
    assert_eq!(session.text(), format!("{}\n", own.display()));
    drop(session);
    server.finish();
}

#[test]
fn without_a_fork_server_the_directory_is_wanted() {
    let mut helper = Command::new(helper_path())
        .arg("--framed")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = helper.stdin.take().unwrap();
    let start = frame(0x08, &[field(1, b"/bin/pwd"), number(12, 1)].concat());
    input.write_all(&hello(PROTOCOL, b"")).unwrap();
    input.write_all(&start).unwrap();
    let mut answer = [0; 5];
    let output = helper.stdout.as_mut().unwrap();
    output.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0, 0, 0, 1, 0x89]);
    drop(input);
    helper.wait().unwrap();
}

#[test]
fn strangers_are_refused_and_counted() {
    let mut server = Server::start();
    let name = server.address.strip_prefix(&[0]).unwrap_or(&server.address);
    let name = String::from_utf8(name.to_vec()).unwrap();
    let status = Command::new(odd_programs::path())
        .env(odd_programs::VARIABLE, format!("connect {name}"))
        .status();
    assert!(status.unwrap().success(), "it was not closed");
    assert_eq!(server.counts()[..3], [0, 1, 0]);
    let mut session = server.sh("exit 4");
    assert_eq!(session.report().code, 4);
}

#[test]
fn without_the_token_nothing_is_said() {
    let server = Server::start();
    for token in [&[][..], &[8; 32], &server.token[..31]] {
        let mut session = server.connect();
        session.send(&hello(PROTOCOL, token));
        assert_eq!(session.next(), None);
    }
}

#[test]
fn another_version_is_told_so_by_a_session_and_by_the_fork_server() {
    let server = Server::start();
    let mut session = server.connect();
    session.send(&hello(PROTOCOL + 1, b"in another way"));
    let failed = session.failure();
    assert_eq!((failed.status, failed.step.as_str()), (125, "version"));
    assert!(failed.message.contains("protocol 3"), "{}", failed.message);
    let mut server = Server::spawn();
    server.configure(1, std::process::id(), &[]);
    match server.read() {
        Answer::Frame(Frame::Failed(failed)) => assert_eq!(failed.step, "version"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mistakes_before_start_are_answered() {
    let server = Server::start();
    let greeting = hello(PROTOCOL, &server.token);
    let cases: [(&[u8], &str); 6] = [
        (&frames::stop(), "0x03"),
        (&[greeting.clone(), greeting.clone()].concat(), "0x07"),
        (&[greeting.clone(), frames::ack(1)].concat(), "0x01"),
        (&[greeting.clone(), frame(0x7f, &[])].concat(), "0x7f"),
        (&[0, 0x90, 0, 0], "9437184"),
        (&[0, 0, 0, 0], "tag"),
    ];
    for (bytes, named) in cases {
        let mut session = server.connect();
        session.send(bytes);
        let failed = session.failure();
        assert_eq!(failed.step, "protocol");
        assert!(failed.message.contains(named), "{}", failed.message);
    }
    let mut session = server.connect();
    session.send(&[greeting, frame(0x08, &field(12_345, b""))].concat());
    let failed = session.failure();
    assert_eq!(
        (failed.step.as_str(), failed.path.as_str()),
        ("options", "12345")
    );
}

#[test]
fn connections_that_say_nothing_or_half_a_frame_disturb_nobody() {
    let mut server = Server::start();
    let silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let mut half = server.connect();
    half.send(&hello(PROTOCOL, &server.token));
    half.send(&[0, 0, 1, 0, 0x08, 0, 1]);
    let mut session = server.sh("exit 4");
    assert_eq!(session.report().code, 4);
    assert_eq!(server.counts()[3], 22);
    let numbers: Vec<u64> = silent.iter().map(|session| session.number).collect();
    drop((silent, half));
    for number in numbers {
        let ended = server.watch(number, 0, 0);
        assert!(matches!(ended, Answer::Ended { connection, .. } if connection == number));
    }
}

/// Fewer where each session reads the process table, which has all the others.
const MANY: usize = if cfg!(feature = "portable") {
    200
} else {
    1000
};

#[test]
fn many_connections_at_once() {
    let mut server = Server::start();
    let mut sessions: Vec<_> = (0..MANY).map(|_| server.connect()).collect();
    for session in &mut sessions {
        session.send(&hello(PROTOCOL, &server.token));
        let start = session.start_frame(&["sh", "-c", "exit 4"], &[]);
        session.send(&start);
    }
    for session in &mut sessions {
        session.read_started();
        assert_eq!(session.report().code, 4);
    }
    assert_eq!(server.counts()[0], MANY as u64);
    drop(sessions);
    eventually("all are gone", || server.counts()[3] == 0);
    server.finish();
}

#[test]
fn it_waits_for_the_last_session_when_the_client_is_gone() {
    let mut server = Server::start();
    let script = "trap 'echo got; sleep 0.3; exit' TERM; echo ready; while :; do sleep 0.01; done";
    let session = server.sh_until(script, "ready");
    server.input = None;
    eventually("the socket is closed", || {
        let address = match server.address.strip_prefix(&[0]) {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(OsStr::from_bytes(&server.address)),
        };
        UnixStream::connect_addr(&address.unwrap()).is_err()
    });
    assert!(server.child.try_wait().unwrap().is_none());
    drop(session);
    server.finish();
}

#[test]
fn a_fork_server_sleeps_with_all_signals_blocked_but_sigchld_in_its_own_group() {
    let server = Server::start();
    let blocked = u64::from_str_radix(&status_field(server.pid, "SigBlk"), 16).unwrap();
    // SIGKILL and SIGSTOP cannot be, and SIGCHLD has a handler where there is no signalfd(2).
    let handled = u64::from(cfg!(feature = "portable")) << 16;
    assert_eq!(blocked, !(1 << 8 | 1 << 18 | handled));
    let session = server.run(&["sleep", "1000"], &[]);
    let stat = fs::read_to_string(format!("/proc/{}/stat", session.pid)).unwrap();
    let group = stat.rsplit_once(')').unwrap().1.split(' ').nth(3).unwrap();
    assert_eq!(group, session.pid.to_string());
}

#[test]
fn an_unknown_or_early_frame_on_the_control_stream_ends_it() {
    let mut server = Server::start();
    server.send(&frame(0x45, &[]));
    assert!(
        matches!(server.read(), Answer::Frame(Frame::Failed(failed)) if failed.step == "protocol")
    );
    assert_eq!(server.await_exit(), Some(0));
    let mut server = Server::spawn();
    server.send(&frame(0x44, &[]));
    assert!(
        matches!(server.read(), Answer::Frame(Frame::Failed(failed)) if failed.step == "protocol")
    );
}

#[test]
fn limits_are_checked_by_name() {
    let server = Server::start();
    let mut session = server.connect();
    session.send(&hello(PROTOCOL, &server.token));
    let start = session.start_frame(&["true"], &number(19, 0));
    session.send(&start);
    assert_eq!(session.failure().path, "stdio_window");
}

#[test]
fn a_client_in_python_speaks_the_protocol() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/test/client.py");
    let output = Command::new("python3")
        .args([script, helper_path()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
