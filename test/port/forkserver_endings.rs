// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Client, fork server, session or program is killed, and the rest ends, too.

use crate::answer::Answer;
use crate::client::{Server, Session};
use crate::frames::{self, PROTOCOL, field, frame, hello, number};
use crate::processes::{Mark, eventually, is_alive, orphan, state};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// A program with a child, a child in a session of its own with a child, and an orphan.
pub const FAMILY: &str = concat!(
    "sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & ",
    orphan!(),
    "; trap '' TERM; echo ready; while :; do sleep 1000; done"
);

fn family(server: &Server) -> Session {
    server.sh_until(FAMILY, "ready")
}

/// The session's processes, without the fork server and its sessions.
fn programs(server: &Server, sessions: &[&Session]) -> usize {
    let mut muontraps: Vec<i32> = sessions.iter().map(|session| session.pid).collect();
    muontraps.push(server.pid);
    server.mark.alive_besides(&muontraps).len()
}

#[track_caller]
pub fn only_these_are_alive(mark: &Mark, pids: &[i32]) {
    let alive = mark.alive_besides(pids);
    assert!(alive.is_empty(), "still alive: {alive:?}");
}

#[test]
fn a_session_that_is_killed_leaves_nothing() {
    let mut server = Server::start();
    let session = family(&server);
    eventually("all run", || programs(&server, &[&session]) >= 5);
    send(session.pid, Signal::SIGKILL);
    let (how, code, swept) = server.await_end(&session);
    assert_eq!((how, code), (1, 9));
    // The program itself dies by its parent-death signal.
    assert!(swept >= 4, "{swept}");
    only_these_are_alive(&server.mark, &[server.pid]);
    let counts = server.counts();
    assert_eq!((counts[3], counts[4], counts[5]), (0, 1, swept.into()));
    server.finish();
}

#[test]
fn the_name_of_a_connection_may_ask_for_its_end() {
    let mut server = Server::start();
    let session = server.connect_watched();
    let mut session = server.run_on(session, &["sh", "-c", "exit 3"], &[]);
    assert_eq!(session.report().code, 3);
    drop(session.stream.shutdown(std::net::Shutdown::Both));
    assert_eq!(server.read_end(&session), (0, 3, 0));

    let session = server.connect_watched();
    let mut session = server.run_on(session, &["sh", "-c", FAMILY], &[]);
    session.read_until("ready");
    eventually("all run", || programs(&server, &[&session]) >= 5);
    send(session.pid, Signal::SIGKILL);
    let (how, code, swept) = server.read_end(&session);
    assert_eq!((how, code), (1, 9));
    assert!(swept >= 4, "{swept}");
    only_these_are_alive(&server.mark, &[server.pid]);

    // It is reported once.
    assert_eq!(server.await_end(&session).0, 2);
    server.finish();
}

#[test]
fn a_watched_connection_that_was_closed_before_it_was_accepted_has_an_end() {
    let mut server = Server::start();
    send(server.pid, Signal::SIGSTOP);
    eventually("it is stopped", || state(server.pid) == b'T');
    let session = server.connect_watched();
    drop(session.stream.shutdown(std::net::Shutdown::Both));
    send(server.pid, Signal::SIGCONT);
    assert_eq!(server.read_end(&session).0, 0);
    server.finish();
}

#[test]
fn other_sessions_do_not_notice() {
    let mut server = Server::start();
    let mut other = server.sh_until(
        "sleep 1000 & echo ready; read line; echo $line; exit 5",
        "ready",
    );
    for _ in 0..5 {
        let session = family(&server);
        send(session.pid, Signal::SIGKILL);
        assert_eq!(server.await_end(&session).0, 1);
        assert_eq!(programs(&server, &[&other]), 2);
    }
    other.send(&frames::input(b"line\n"));
    other.read_until("line\n");
    assert_eq!(other.report().code, 5);
}

#[test]
fn sessions_begin_while_others_are_swept() {
    let mut server = Server::start();
    let killed: Vec<_> = (0..10).map(|_| family(&server)).collect();
    for session in &killed {
        send(session.pid, Signal::SIGKILL);
        let mut next = server.sh("sleep 0.01 & wait; exit 4");
        assert_eq!(next.report().code, 4);
    }
    for session in &killed {
        server.await_end(session);
    }
    eventually("all sessions are gone", || server.counts()[3] == 0);
    only_these_are_alive(&server.mark, &[server.pid]);
}

#[test]
fn a_session_that_dies_before_start_is_over() {
    let mut server = Server::start();
    let session = server.connect();
    eventually("it is there", || server.counts()[3] == 1);
    let pid = server.mark.alive_besides(&[server.pid])[0].pid;
    send(pid, Signal::SIGKILL);
    assert_eq!(server.await_end(&session).0, 1);
}

#[test]
fn an_owner_that_goes_away_takes_all_along() {
    let mut server = Server::start();
    let mut session = server.run(&["sh", "-c", FAMILY], &number(33, 100));
    session.read_until("ready");
    assert_eq!(server.disconnect(&session), (0, 137, 0));
    only_these_are_alive(&server.mark, &[server.pid]);
}

#[test]
fn a_connection_that_was_closed_before_it_was_accepted_starts_nothing_later() {
    let mut server = Server::start();
    send(server.pid, Signal::SIGSTOP);
    eventually("it is stopped", || state(server.pid) == b'T');
    let mut session = server.connect();
    session.send(&hello(PROTOCOL, &server.token));
    let start = session.start_frame(&["sleep", "1000"], &[]);
    session.send(&start);
    drop(session.stream.shutdown(std::net::Shutdown::Both));
    send(server.pid, Signal::SIGCONT);
    server.await_end(&session);
    only_these_are_alive(&server.mark, &[server.pid]);
}

#[test]
fn a_session_that_is_stopped_is_continued() {
    let mut server = Server::start();
    for signal in [
        Signal::SIGSTOP,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
    ] {
        let mut session = server.sh_until("echo ready; read line; exit 4", "ready");
        send(session.pid, signal);
        session.send(&frames::input(b"line\n"));
        assert_eq!(session.report().code, 4);
    }
    assert!(server.counts()[6] >= 1);
}

#[test]
fn a_session_that_is_stopped_holds_nothing_when_its_owner_goes() {
    let mut server = Server::start();
    let mut session = server.run(&["sh", "-c", FAMILY], &number(33, 100));
    session.read_until("ready");
    send(session.pid, Signal::SIGSTOP);
    assert_eq!(server.disconnect(&session), (0, 137, 0));
    only_these_are_alive(&server.mark, &[server.pid]);
}

#[test]
fn a_session_that_takes_too_long_is_killed() {
    let mut server = Server::start();
    let mut session = server.run(&["sh", "-c", FAMILY], &number(33, 3_600_000));
    session.read_until("ready");
    session.send(&frames::stop());
    match server.watch(session.number, 0, 100) {
        Answer::Ended {
            how: 1,
            code: 9,
            pid,
            ..
        } => assert_eq!(pid, session.pid),
        other => panic!("{other:?}"),
    }
    only_these_are_alive(&server.mark, &[server.pid]);
}

#[test]
fn a_fork_server_that_is_killed_leaves_its_sessions_to_their_owners() {
    let mut server = Server::start();
    let mut session = server.sh_until("sleep 1000 & echo ready; read line; exit 4", "ready");
    let abandoned = family(&server);
    send(server.pid, Signal::SIGKILL);
    server.await_exit();
    session.send(&frames::input(b"line\n"));
    assert_eq!(session.report().code, 4);
    drop(session);
    // Its program ignores SIGTERM, and is killed after half a second.
    drop(abandoned);
    eventually("nothing is left", || server.mark.alive().is_empty());
}

#[test]
fn a_later_fork_server_tells_of_a_session_of_an_earlier_one() {
    let mut first = Server::start();
    let session = first.sh_until("echo ready; sleep 1000", "ready");
    send(first.pid, Signal::SIGKILL);
    first.await_exit();
    let mut second = Server::start();
    drop(session.stream.shutdown(std::net::Shutdown::Both));
    let ended = second.watch(session.number, session.pid, 0);
    assert!(matches!(ended, Answer::Ended { how: 2, pid, .. } if pid == session.pid));
    assert!(!is_alive(session.pid) && !is_alive(session.program));
    // A session that it never had.
    let ended = second.watch(1 << 60, 0, 0);
    assert!(matches!(ended, Answer::Ended { how: 2, pid: 0, .. }));
    second.finish();
}

#[test]
fn a_later_fork_server_continues_a_stopped_session_of_an_earlier_one() {
    let mut first = Server::start();
    let session = family(&first);
    send(first.pid, Signal::SIGKILL);
    first.await_exit();
    send(session.pid, Signal::SIGSTOP);
    eventually("it is stopped", || state(session.pid) == b'T');
    let mut second = Server::start();
    drop(session.stream.shutdown(std::net::Shutdown::Both));
    let ended = second.watch(session.number, session.pid, 0);
    assert!(matches!(
        ended,
        Answer::Ended {
            how: 2,
            survivors: 0,
            ..
        }
    ));
    only_these_are_alive(&first.mark, &[]);
    assert!(second.counts()[6] >= 1);
    second.finish();
}

#[test]
fn a_program_that_kills_its_session_at_once_is_killed() {
    let mut server = Server::start();
    let program = ["sh", "-c", "kill -KILL $PPID; exec sleep 1000"];
    for _ in 0..20 {
        let mut session = server.connect();
        session.send(&hello(PROTOCOL, &server.token));
        session.send(&session.start_frame(&program, &[]));
        let (how, code, _) = server.await_end(&session);
        assert_eq!((how, code), (1, 9));
        only_these_are_alive(&server.mark, &[server.pid]);
    }
    server.finish();
}

#[test]
fn a_later_fork_server_kills_a_session_of_an_earlier_one_that_takes_too_long() {
    let mut first = Server::start();
    let mut session = first.run(&["sh", "-c", FAMILY], &number(33, 3_600_000));
    session.read_until("ready");
    send(first.pid, Signal::SIGKILL);
    first.await_exit();
    let mut second = Server::start();
    drop(session.stream.shutdown(std::net::Shutdown::Both));
    let ended = second.watch(session.number, session.pid, 100);
    assert!(matches!(
        ended,
        Answer::Ended {
            how: 2,
            survivors: 0,
            ..
        }
    ));
    only_these_are_alive(&first.mark, &[]);
    second.finish();
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a parent-death signal")]
fn what_a_killed_helper_without_a_fork_server_has_left_is_killed_on_request() {
    assert_killed_on_request("sleep 1000 & sleep 1000 & echo ready; wait", &[]);
    // With a terminal, in groups of their own in the program's session.
    let pty = [field(18, b"stdout"), field(27, &[0, 24, 0, 80, 1])].concat();
    let script = "trap '' HUP; set -m; sleep 1000 & sleep 1000 & echo ready; wait";
    assert_killed_on_request(script, &pty);
}

/// Of a script that has two processes in the background.
#[track_caller]
fn assert_killed_on_request(script: &str, fields: &[u8]) {
    let mut first = Server::start();
    let mut session = first.run(&["sh", "-c", script], fields);
    session.read_until("ready");
    send(first.pid, Signal::SIGKILL);
    first.await_exit();
    send(session.pid, Signal::SIGKILL);
    eventually("the program is gone", || !is_alive(session.program));
    assert_eq!(first.mark.alive().len(), 2);
    let second = Server::start();
    let mut fresh = second.connect();
    fresh.send(&hello(PROTOCOL, &second.token));
    let pid = |number, pid: i32| crate::frames::number(number, u32::try_from(pid).unwrap());
    let fields = [pid(80, session.pid), pid(81, session.program)].concat();
    fresh.send(&frame(0x0e, &[&[0, 0, 0, 9], &fields[..]].concat()));
    let survivors = vec![("survivors".to_owned(), "0".to_owned())];
    assert_eq!(fresh.next(), Some(Answer::Reply(9, survivors)));
    only_these_are_alive(&first.mark, &[]);
}

#[test]
fn a_fork_server_that_is_stopped_goes_on_when_there_is_a_new_one() {
    let mut first = Server::start();
    send(first.pid, Signal::SIGSTOP);
    eventually("it is stopped", || state(first.pid) == b'T');
    first.input = None;
    let pid = u32::try_from(first.pid).unwrap();
    let second = Server::configured(&number(3, pid));
    assert_eq!(first.await_exit(), Some(0));
    second.finish();
}

#[test]
fn a_fork_server_that_is_stopped_goes_on_when_a_session_of_it_ends() {
    let mut server = Server::start();
    let killed = family(&server);
    let last = server.sh_until("echo ready; sleep 1000", "ready");
    send(server.pid, Signal::SIGSTOP);
    eventually("it is stopped", || state(server.pid) == b'T');
    server.input = None;
    send(killed.pid, Signal::SIGKILL);
    drop((killed, last));
    assert_eq!(server.await_exit(), Some(0));
    only_these_are_alive(&server.mark, &[]);
}

#[test]
fn client_and_fork_server_killed_together_leave_nothing() {
    let mut server = Server::start();
    let session = family(&server);
    send(server.pid, Signal::SIGKILL);
    server.input = None;
    drop(session);
    eventually("nothing is left", || server.mark.alive().is_empty());
}

#[test]
fn client_and_session_killed_together_leave_nothing() {
    let server = Server::start();
    let session = family(&server);
    send(session.pid, Signal::SIGKILL);
    drop(session);
    server.finish();
}

#[test]
fn orphans_that_may_stay_outlive_sessions_that_are_killed_later() {
    let mut server = Server::start();
    let script = "setsid sh -c 'sleep 1000 & sleep 1000 & echo ready; wait' & read line; exit 3";
    let mut leaving = server.run(&["sh", "-c", script], &field(34, b"leave"));
    leaving.read_until("ready");
    leaving.send(&frames::input(b"line\n"));
    assert_eq!(leaving.report().code, 3);
    let number = leaving.number;
    drop(leaving);
    server.watch(number, 0, 0);
    let count = programs(&server, &[]);
    assert!(count >= 2, "{count}");
    let killed = family(&server);
    send(killed.pid, Signal::SIGKILL);
    server.await_end(&killed);
    assert_eq!(programs(&server, &[]), count);
    // The children of an orphan that may stay may stay, too.
    let orphans = server.mark.alive_besides(&[server.pid]);
    let is_orphan = |pid: i32| orphans.iter().any(|process| process.pid == pid);
    let (parents, others): (Vec<_>, Vec<_>) =
        orphans.iter().partition(|process| !is_orphan(process.ppid));
    send(parents[0].pid, Signal::SIGKILL);
    eventually("it is collected", || !is_alive(parents[0].pid));
    let killed = family(&server);
    send(killed.pid, Signal::SIGKILL);
    server.await_end(&killed);
    let left = server.mark.alive_besides(&[server.pid]);
    assert_eq!((parents.len(), left.len()), (1, others.len()), "{left:?}");
    for process in left {
        send(process.pid, Signal::SIGKILL);
    }
    eventually("they are gone", || programs(&server, &[]) == 0);
    server.finish();
}
