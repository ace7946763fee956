// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fork server: accepts connections of its client, forks a session for each, and cleans up after sessions that
//! were killed.
//!
//! It has one thread, never blocks on a client or a session, and keeps only a few numbers of each session.

mod control;
mod counts;
mod foreign;
mod listener;
mod lost;
mod server;
mod sessions;
mod startup;

use crate::cgroup::{self, Host, Request};
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure};
use crate::session;
use crate::session::opening::Invitation;
use crate::sys::{self, Title};
use crate::wire::transport::Transport;
use nix::unistd::{Pid, getpid, getppid, setpgid};
use server::Server;
use startup::Started;
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The control stream, from the client.
const INPUT: RawFd = 3;
/// The control stream, to the client.
const OUTPUT: RawFd = 4;

const CONTROL: Transport = Transport::Framed {
    input: INPUT,
    output: OUTPUT,
};

/// How long to try to remove the group of a session that was killed. Clients wait longer, then try it themselves and
/// report why it fails.
const CLEAN_TIME: Duration = Duration::from_secs(4);

/// The same when the client is gone.
const LAST_CLEAN_TIME: Duration = Duration::from_secs(10);

/// What this process is once the loop of the fork server has returned.
#[derive(Debug)]
enum Role {
    /// The fork server, whose client and last session are gone.
    Over,
    Session(UnixStream, Invitation),
    /// A process that removes the group of a lost session, and how long it may take.
    Cleaner(Request, Duration),
}

/// Runs a fork server and, in its copies, a session or a cleaner. Returns the exit status.
#[inline(never)]
pub fn main(title: Title) -> u8 {
    sys::copy_page_tables_to_forks();
    // Before there is a program that could get hold of what is in its memory.
    sys::become_undumpable();
    let started = match startup::start() {
        Ok(Some(started)) => Box::new(started),
        Ok(None) => return EXIT_SETUP,
        Err(failure) => {
            diagnostics::say(failure);
            return EXIT_SETUP;
        }
    };
    title.set(b"muontrap: fork server");
    // The parent belongs to the client, such as erl_child_setup, and dies with it. If this process is stopped at that
    // time, nobody else continues it.
    let _ = sys::set_parent_death_signal(libc::SIGCONT);
    let own_pid = getpid();
    let role = serve(started);
    let status = match role {
        Ok(Role::Over) => return 0,
        Ok(Role::Session(stream, invitation)) => session(stream, invitation, title),
        Ok(Role::Cleaner(group, time)) => {
            // Dropping the server has closed all its other descriptors.
            let _ = nix::unistd::close(INPUT);
            let _ = nix::unistd::close(OUTPUT);
            clean(&group, time)
        }
        Err(error) => {
            diagnostics::say(format_args!("the fork server failed: {error}"));
            return EXIT_SETUP;
        }
    };
    continue_server(own_pid);
    sys::exit_at_once(status)
}

/// Not inlined, so that the server is not on the stack of a session.
#[inline(never)]
fn serve(started: Box<Started>) -> io::Result<Role> {
    new_server(started).serve()
}

/// Frees the box. A session would do that otherwise, in memory that it shares with the fork server.
fn new_server(started: Box<Started>) -> Server {
    Server::new(*started)
}

/// Continues the fork server, which may have been stopped after its client died. It then reaps this process.
fn continue_server(server: Pid) {
    if getppid() == server {
        let _ = sys::kill(server.as_raw(), libc::SIGCONT);
    }
}

#[inline(never)]
fn session(stream: UnixStream, invitation: Invitation, title: Title) -> u8 {
    sys::enter_session_region();
    // A signal to the group of the fork server is not meant for its sessions.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let stream = OwnedFd::from(stream);
    let Ok(output) = stream.try_clone() else {
        return EXIT_SETUP;
    };
    let transport = Transport::Framed {
        input: stream.into_raw_fd(),
        output: output.into_raw_fd(),
    };
    session::serve(transport, invitation, Some(title))
}

fn clean(group: &Request, time: Duration) -> u8 {
    let cleaned = Host::detect().and_then(|host| cgroup::clean(&host, group, time));
    match cleaned {
        // When another session uses the group by now, it has emptied it first.
        Ok(report) if report.removed || report.in_use.is_some() => 0,
        Ok(_) => EXIT_SETUP,
        Err(error) => {
            diagnostics::say(Failure::from(error));
            EXIT_SETUP
        }
    }
}
