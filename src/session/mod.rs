// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! One program from its start to the death of the last process that it left behind.
//!
//! ```text
//! Setup ─► Running ─(told to stop)─► Stopping ─┐
//!   │         └──────(it died)─────────────────┴─► Sweeping ─► Draining ─► Removing ─► Done
//!   └─(it cannot be started)─► FAILED
//! ```
//!
//! [`opening`] waits for START, [`setup`] starts the program, and [`states`] has the states from Running on.

mod abort;
mod ack_wait;
mod containment;
mod conversation;
pub(crate) mod emergency;
mod ending;
mod incoming;
mod interruptible;
mod job_control;
mod notify;
mod notify_socket;
pub(crate) mod opening;
mod owner;
mod pty;
mod setup;
pub(crate) mod signals;
mod states;
mod stdio;
mod stopping;
mod terminal;

use crate::config::Config;
use crate::diagnostics;
use crate::error::EXIT_SETUP;
use crate::sys::Title;
use crate::wire::transport::Transport;
use opening::{ForkServer, Invitation};
use owner::Owner;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// More than there is room for.
const LONGEST_TITLE: usize = 4096;

/// Runs a whole session for a program of the command line, and returns the exit status of muontrap.
pub(crate) fn run(config: Config, transport: Transport) -> u8 {
    match Owner::connect(transport, None) {
        Ok(owner) => supervise(Box::new(config), owner, &ForkServer::default()),
        Err(failure) => owner::print(&failure),
    }
}

/// Runs a whole session for an owner that sends START, and returns the exit status of muontrap. With a `title`,
/// ps(1) shows which program it is about.
pub(crate) fn serve(transport: Transport, mut invitation: Invitation, title: Option<Title>) -> u8 {
    let mut owner = match Owner::connect(transport, invitation.handlers.take()) {
        Ok(owner) => owner,
        Err(failure) => return owner::print(&failure),
    };
    match opening::open(&mut owner, &mut invitation) {
        Ok(Some(config)) => {
            if let Some(title) = title {
                title.set(&title_of(&config));
            }
            supervise(config, owner, &invitation.server)
        }
        Ok(None) => EXIT_SETUP,
        Err(failure) => owner.fail(&failure),
    }
}

fn supervise(mut config: Box<Config>, mut owner: Owner, server: &ForkServer) -> u8 {
    let running = match setup::start(&config, &mut owner, server) {
        Ok(running) => running,
        Err(failure) => return owner.fail(&failure),
    };
    config.forget_program();
    if server.owner_awaits_end {
        owner.outbox.cork();
    }
    states::run(&config, owner, &server.notices, running).unwrap_or_else(|error| {
        diagnostics::say(format_args!("the event loop failed: {error}"));
        EXIT_SETUP
    })
}

/// `muontrap: sleep 1000`
fn title_of(config: &Config) -> Vec<u8> {
    let name = Path::new(&config.program).file_name().unwrap_or_default();
    let mut title = b"muontrap: ".to_vec();
    title.extend_from_slice(name.as_bytes());
    for argument in config.argv.iter().skip(1) {
        title.push(b' ');
        title.extend_from_slice(argument.as_bytes());
        if title.len() > LONGEST_TITLE {
            break;
        }
    }
    title
}
