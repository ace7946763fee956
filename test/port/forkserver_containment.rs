// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! As `containment.rs`, for what ends a session of a fork server. Nothing is alive afterwards.

use crate::client::{Server, Session};
use crate::forkserver_endings::{only_these_are_alive, send};
use crate::frames::{discard, field, number};
use crate::odd_programs;
use crate::processes::{eventually, state};
use crate::table::table;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgid, getsid};
use std::io::Write as _;
use std::net::Shutdown;
use std::process::Command;

/// Starts a program, and returns when everything is in place.
type Start = fn(&Server) -> Session;

fn delay() -> Vec<u8> {
    number(33, 200)
}

fn script(server: &Server, script: &str) -> Session {
    let script = format!("{script}\nwait");
    let mut session = server.run(&["sh", "-c", &script], &delay());
    session.read_until("ready");
    session
}

fn odd(server: &Server, program: &str) -> Session {
    let variable = format!("{}={program}", odd_programs::VARIABLE);
    let fields = [field(8, variable.as_bytes()), delay()].concat();
    let mut session = server.run(&[&odd_programs::path()], &fields);
    session.read_until("ready");
    session
}

fn direct_child(server: &Server) -> Session {
    script(server, "echo ready; exec sleep 1000")
}

fn background_child(server: &Server) -> Session {
    script(server, "sleep 1000 & (sleep 1000; :) & echo ready")
}

fn session_leader(server: &Server) -> Session {
    odd(server, "session stay")
}

fn double_forked_daemon(server: &Server) -> Session {
    odd(server, "daemon stay")
}

fn tree_that_ignores_signals(server: &Server) -> Session {
    let tree = "trap '' TERM INT HUP QUIT\n sleep 1000 & (sleep 1000; :) & echo ready";
    script(server, tree)
}

fn stopped_program(server: &Server) -> Session {
    let session = script(
        server,
        "sleep 1000 & kill -STOP $!; echo ready; kill -STOP $$",
    );
    eventually("the program is stopped", || state(session.program) == b'T');
    session
}

fn stopped_tree(server: &Server) -> Session {
    let tree = "sh -c 'sleep 1000 & sleep 1000 & kill -STOP $!; kill -STOP $$; wait' &
        while ! grep -q ') T ' /proc/$!/stat; do :; done
        echo ready; kill -STOP 0";
    let session = script(server, tree);
    eventually("the program is stopped", || state(session.program) == b'T');
    session
}

fn blocked_in_write(server: &Server) -> Session {
    let session = script(server, "echo ready; yes &");
    eventually("the writer is blocked", || {
        let alive = server.mark.alive_besides(&[server.pid, session.pid]);
        let mut writers = alive.iter().filter(|process| process.name == "yes");
        writers.any(|process| state(process.pid) == b'S')
    });
    session
}

fn fork_bomb(server: &Server) -> Session {
    odd(server, "bomb stay")
}

fn fork_bomb_that_wakes_its_own(server: &Server) -> Session {
    odd(server, "bomb stay noisy")
}

fn process_without_its_first_thread(server: &Server) -> Session {
    odd(server, "headless stay")
}

fn traced_process(server: &Server) -> Session {
    odd(server, "traced stay")
}

fn renamed_process(server: &Server) -> Session {
    let rename =
        "sh -c 'echo \") Z 1 1\" > /proc/$$/comm; echo ready; while :; do sleep 1; done' &";
    script(server, rename)
}

// What ends it

fn session_killed(start: Start) {
    let mut server = Server::start();
    let session = start(&server);
    send(session.pid, Signal::SIGKILL);
    assert_eq!(server.await_end(&session).0, 1);
    only_these_are_alive(&server.mark, &[server.pid]);
    server.finish();
}

fn session_stopped_and_owner_gone(start: Start) {
    let mut server = Server::start();
    let session = start(&server);
    send(session.pid, Signal::SIGSTOP);
    drop(session.stream.shutdown(Shutdown::Both));
    // Neither killed, nor anything else if it was gone before the fork server was asked.
    assert_ne!(server.await_end(&session).0, 1);
    only_these_are_alive(&server.mark, &[server.pid]);
    server.finish();
}

fn session_and_client_killed(start: Start) {
    let server = Server::start();
    let session = start(&server);
    send(session.pid, Signal::SIGKILL);
    drop(session);
    server.finish();
}

fn fork_server_and_client_killed(start: Start) {
    let mut server = Server::start();
    let session = start(&server);
    send(server.pid, Signal::SIGKILL);
    server.input = None;
    drop(session);
    eventually("nothing is left", || server.mark.alive().is_empty());
}

table! {
    [session_killed session_stopped_and_owner_gone session_and_client_killed fork_server_and_client_killed]
    direct_child
    background_child
    session_leader
    #[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
    double_forked_daemon
    tree_that_ignores_signals
    stopped_program
    stopped_tree
    blocked_in_write
    #[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
    fork_bomb
    #[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
    fork_bomb_that_wakes_its_own
    process_without_its_first_thread
    traced_process
    renamed_process
}

#[test]
fn an_end_of_the_owner_that_comes_together_with_a_frame_is_noticed() {
    let mut server = Server::start();
    let session = direct_child(&server);
    // It would continue the session.
    send(server.pid, Signal::SIGSTOP);
    send(session.pid, Signal::SIGSTOP);
    eventually("it is stopped", || state(session.pid) == b'T');
    (&session.stream).write_all(&discard()).unwrap();
    drop(session.stream.shutdown(Shutdown::Both));
    send(session.pid, Signal::SIGCONT);
    send(server.pid, Signal::SIGCONT);
    assert_ne!(server.await_end(&session).0, 1);
    only_these_are_alive(&server.mark, &[server.pid]);
    server.finish();
}

/// More zombies at once than a session reaps in a row: their parent ends after they have closed the pipe.
const ZOMBIES: &str = "pipe(my $reader, my $writer);
    if (!fork) {
        for (1..500) { exit if !fork }
        close $writer; <$reader>; exit
    }
    close $writer; wait; $| = 1; print qq(ready\\n); sleep 1000";

#[test]
#[ignore = "needs root, setpriv, perl and a subreaper"]
fn without_permission_for_a_high_priority_a_session_with_many_zombies_gets_an_autogroup() {
    let without_nice = ["--bounding-set=-sys_nice", "--inh-caps=-sys_nice"];
    let mut server = Server::start_by(Command::new("setpriv").args(without_nice));
    let mut session = server.run(&["perl", "-e", ZOMBIES], &delay());
    session.read_until("ready");
    let pid = Pid::from_raw(session.pid);
    // The kernel makes one for each session: sched(7).
    eventually("it has a session of its own", || {
        getsid(Some(pid)) == Ok(pid) && getpgid(Some(pid)) == Ok(pid)
    });
    assert_eq!(server.disconnect(&session), (0, 143, 0));
    only_these_are_alive(&server.mark, &[server.pid]);
}
