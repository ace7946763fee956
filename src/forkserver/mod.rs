// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fork server: accepts connections of its client, makes a session of each, and cleans up after
//! sessions that were killed.
//!
//! It has one thread, never waits for anybody, and holds nothing of a session but a few numbers.

mod control;
mod counts;
mod foreign;
mod listener;
mod server;
mod sessions;

use crate::cgroup::{self, Host, Request};
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure};
use crate::session;
use crate::session::opening::Invitation;
use crate::sys::{self, SignalMask, Title};
use crate::wire::transport::Transport;
use nix::unistd::{Pid, getpid, getppid, setpgid};
use server::Server;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where the frames of the control stream come from.
const INPUT: RawFd = 3;
/// Where they go.
const OUTPUT: RawFd = 4;

const CONTROL: Transport = Transport::Framed {
    input: INPUT,
    output: OUTPUT,
};

/// How long to try to remove the group of a session that was killed: less than what clients wait for, who then try
/// it themselves and tell why it cannot be done.
const CLEAN_TIME: Duration = Duration::from_secs(4);

/// The same when there is no client any more.
const LAST_CLEAN_TIME: Duration = Duration::from_secs(10);

/// What this process is, once the fork server is done with it.
#[derive(Debug)]
enum Role {
    /// The fork server, whose client and last session are gone.
    Over,
    /// A session.
    Session(UnixStream, Invitation),
    /// One who removes the group of a lost session, and how long it may take.
    Cleaner(Request, Duration),
}

/// Runs a fork server, and all that becomes of its copies. Returns the exit status.
pub fn main(title: Title) -> u8 {
    // Before there is a program that could get hold of what is in its memory.
    sys::become_undumpable();
    let server = match Server::start() {
        Ok(Some(server)) => server,
        Ok(None) => return EXIT_SETUP,
        Err(failure) => {
            diagnostics::say(failure);
            return EXIT_SETUP;
        }
    };
    title.set(b"muontrap: fork server");
    // The parent is a process of the client's, such as erl_child_setup, which dies with it. If this process is
    // stopped then, nobody is left to continue it.
    let _ = sys::set_parent_death_signal(libc::SIGCONT);
    let own_pid = getpid();
    let role = server.serve();
    let status = match role {
        Ok(Role::Over) => return 0,
        Ok(Role::Session(stream, invitation)) => session(stream, invitation, title),
        Ok(Role::Cleaner(group, time)) => {
            // All other descriptors of the fork server are closed by now.
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
    status
}

/// Continues the fork server, which may have been stopped after its client died. It then reaps this process.
fn continue_server(server: Pid) {
    if getppid() == server {
        let _ = sys::kill(server.as_raw(), libc::SIGCONT);
    }
}

fn session(stream: UnixStream, invitation: Invitation, title: Title) -> u8 {
    // A signal to the group of the fork server is not meant for its sessions.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    // Until START they have their default actions.
    let _ = SignalMask::all_but(1..=64).set();
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
        // Another session has it by now, and emptied it first.
        Ok(report) if report.removed || report.in_use.is_some() => 0,
        Ok(_) => EXIT_SETUP,
        Err(error) => {
            diagnostics::say(Failure::from(error));
            EXIT_SETUP
        }
    }
}
