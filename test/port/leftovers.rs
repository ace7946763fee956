// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What one session leaves behind and is not gone, although it was killed, does not matter to other sessions.

use crate::answer::Answer;
use crate::client::{Server, Session};
use crate::forkserver_endings::{FAMILY, send};
use crate::frames::{field, input};
use crate::frozen::Frozen;
use crate::processes::{eventually, is_alive, state, status_field};
use crate::table::table;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::net::Shutdown;
use std::process::Command;
use std::time::{Duration, Instant};

/// A running session with a process that will stay.
struct Held {
    server: Server,
    session: Session,
    /// Whether it was killed, and is waited for until it is released.
    is_waited_for: bool,
    /// Lets the process go.
    release: Box<dyn FnOnce()>,
}

/// The end of a session.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    connection: u64,
    survivors: u32,
}

/// Runs a program with two children, whose pids it writes. Returns that of the second one, which runs `command`.
fn run(server: &Server, command: &str) -> (Session, i32) {
    let script =
        format!("sleep 1000 & other=$!; {command} & echo \"$other $! ready\"; read line; exit 3");
    let session = server.sh_until(&script, "ready");
    let pid = pids_in(&session)[1];
    (session, pid)
}

fn pids_in(session: &Session) -> Vec<i32> {
    let text = session.text();
    text.split(' ')
        .map_while(|word| word.parse().ok())
        .collect()
}

/// A zombie that its tracer does not release.
#[allow(unsafe_code)]
fn traced() -> Held {
    let server = Server::start();
    let (session, pid) = run(&server, "sleep 1000");
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: this request takes no pointers.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, none, none) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    let release = move || {
        eventually("it is dead", || state(pid) == b'Z');
        let flags = nix::sys::wait::WaitPidFlag::__WALL;
        nix::sys::wait::waitpid(Pid::from_raw(pid), Some(flags)).unwrap();
    };
    Held {
        server,
        session,
        is_waited_for: true,
        release: Box::new(release),
    }
}

/// A process that dies only when its group is thawed.
fn frozen() -> Held {
    let server = Server::start();
    let (session, pid) = run(&server, "sleep 1000");
    let group = Frozen::new();
    group.freeze(pid);
    Held {
        server,
        session,
        is_waited_for: true,
        release: Box::new(move || group.thaw()),
    }
}

/// A process of another user, which the fork server may not kill.
fn denied() -> Held {
    let mut command = Command::new("setpriv");
    let server = Server::start_by(command.args(["--inh-caps=-kill", "--bounding-set=-kill"]));
    let (session, pid) = run(&server, "setpriv --reuid=65534 sleep 1000");
    eventually("it is another user's", || {
        status_field(pid, "Uid") == "65534\t65534\t65534\t65534"
    });
    Held {
        server,
        session,
        is_waited_for: false,
        release: Box::new(move || send(pid, Signal::SIGKILL)),
    }
}

impl Held {
    /// Kills the session, and waits until the process that stays is all that is left.
    fn kill_session(&mut self) {
        send(self.session.pid, Signal::SIGKILL);
        eventually("the other child is swept", || self.server.counts()[5] > 0);
        for pid in [pids_in(&self.session)[0], self.session.program] {
            eventually("it is reaped", || state(pid) == b'X');
        }
    }

    fn watch(&mut self, limit_ms: u32) {
        let session = &self.session;
        self.server
            .send_watch(session.number, session.pid, limit_ms);
    }

    #[track_caller]
    fn next_end(&mut self) -> Ended {
        match self.server.read() {
            Answer::Ended {
                connection,
                survivors,
                ..
            } => Ended {
                connection,
                survivors,
            },
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn assert_ends(&mut self, connection: u64, survivors: u32) {
        let ended = Ended {
            connection,
            survivors,
        };
        assert_eq!(self.next_end(), ended);
    }

    /// Kills another session. Nothing is left of it.
    #[track_caller]
    fn assert_another_leaves_nothing(&mut self) {
        let session = self.server.sh_until(FAMILY, "ready");
        send(session.pid, Signal::SIGKILL);
        self.server.send_watch(session.number, session.pid, 0);
        self.assert_ends(session.number, 0);
    }

    #[track_caller]
    fn finish(self) {
        (self.release)();
        let server = self.server;
        let own = server.pid;
        eventually("it is gone", || {
            server.mark.alive_besides(&[own]).is_empty()
        });
        server.finish();
    }
}

fn another_session_does_not_wait(start: fn() -> Held) {
    let mut held = start();
    held.kill_session();
    let number = held.session.number;
    held.watch(0);
    if held.is_waited_for {
        held.assert_another_leaves_nothing();
        std::mem::replace(&mut held.release, Box::new(|| ()))();
        held.assert_ends(number, 0);
    } else {
        held.assert_ends(number, 1);
        held.assert_another_leaves_nothing();
    }
    held.finish();
}

fn it_is_reported_at_the_deadline(start: fn() -> Held) {
    let mut held = start();
    held.kill_session();
    let number = held.session.number;
    held.watch(1);
    held.assert_ends(number, 1);
    held.assert_another_leaves_nothing();
    held.finish();
}

fn orphans_that_may_stay_do_so(start: fn() -> Held) {
    let mut held = start();
    let script = "setsid sh -c 'sleep 1000 & echo \"$$ $! ready\"; wait' & read line; exit 3";
    let mut leaving = held.server.run(&["sh", "-c", script], &field(34, b"leave"));
    leaving.read_until("ready");
    let [orphan, its_child] = pids_in(&leaving)[..] else {
        panic!("{:?}", leaving.text());
    };
    leaving.send(&input(b"line\n"));
    assert_eq!(leaving.report().code, 3);
    let number = leaving.number;
    drop(leaving);
    held.server.send_watch(number, 0, 0);
    held.assert_ends(number, 0);
    held.kill_session();
    send(orphan, Signal::SIGKILL);
    eventually("it is collected", || state(orphan) == b'X');
    held.assert_another_leaves_nothing();
    assert!(is_alive(its_child));
    send(its_child, Signal::SIGKILL);
    held.finish();
}

fn the_wait_costs_little(start: fn() -> Held) {
    let mut held = start();
    held.kill_session();
    let wakes = || -> u32 {
        let count = status_field(held.server.pid, "voluntary_ctxt_switches");
        count.parse().unwrap()
    };
    let (begin, before) = (Instant::now(), wakes());
    eventually("it has looked some times", || wakes() >= before + 11);
    // A slow machine cannot make this smaller.
    assert!(begin.elapsed() > Duration::from_secs(1));
    held.finish();
}

table! {
    [another_session_does_not_wait it_is_reported_at_the_deadline orphans_that_may_stay_do_so]
    #[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
    traced
    #[ignore = "needs root and /sys/fs/cgroup/freezer"]
    frozen
    #[ignore = "needs root and setpriv"]
    denied
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn the_wait_for_a_zombie_costs_little() {
    the_wait_costs_little(traced);
}

fn a_session_that_ended_by_itself(start: fn() -> Held, survivors: u32) {
    let mut held = start();
    held.session.send(&input(b"line\n"));
    let report = held.session.report();
    assert_eq!((report.code, report.survivors), (3, survivors));
    held.session.stream.shutdown(Shutdown::Both).unwrap();
    let number = held.session.number;
    held.watch(0);
    held.assert_ends(number, 0);
    held.assert_another_leaves_nothing();
    held.finish();
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn a_zombie_of_a_session_that_ended_by_itself() {
    a_session_that_ended_by_itself(traced, 0);
}

#[test]
#[ignore = "needs root and setpriv"]
fn another_users_process_of_a_session_that_ended_by_itself() {
    a_session_that_ended_by_itself(denied, 1);
}
