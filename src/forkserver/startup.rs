// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! From the start of the fork server to READY.

use super::CONTROL;
use super::control::{self, Command, Config, failed};
use super::foreign::continue_predecessor;
use super::listener::{Listener, Peer};
use crate::error::Failure;
use crate::session::signals::Handlers;
use crate::sys::{self, ChildEvents};
use crate::wire::frame::{Decoder, MAX_START};
use crate::wire::inbox::{Inbox, Received};
use crate::wire::message;
use crate::wire::notice::{self, Sockets};
use crate::wire::outbox::Outbox;

/// What a fork server has when it is ready.
#[derive(Debug)]
pub(super) struct Started {
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub prepared: Prepared,
}

/// What it makes after CONFIG.
#[derive(Debug)]
pub(super) struct Prepared {
    pub token: Vec<u8>,
    pub listener: Listener,
    pub children: ChildEvents,
    /// For the sessions.
    pub handlers: Handlers,
    pub notices: Sockets,
    /// The end that sessions have.
    pub notices_of_sessions: Sockets,
    /// Whether sessions can find out the client's working directory.
    pub finds_client_directory: bool,
}

/// Waits for CONFIG, and sends READY. `None` when the client closed the control stream, or was sent FAILED.
pub(super) fn start() -> Result<Option<Started>, Failure> {
    sys::enter_server_region();
    sys::cloexec_from_3();
    let mut inbox = Inbox::open(CONTROL)?;
    let mut outbox = Outbox::open(CONTROL)?;
    inbox.decoder = Decoder::limited(MAX_START);
    let config = read_config(&mut inbox, &mut outbox);
    match config.and_then(|config| config.map(prepare).transpose()) {
        Ok(Some(prepared)) => {
            outbox.send(&control::ready(
                &prepared.listener.address(),
                prepared.finds_client_directory,
            ));
            Ok(Some(Started {
                inbox,
                outbox,
                prepared,
            }))
        }
        Ok(None) => Ok(None),
        Err(failure) => {
            outbox.send(&message::failed(&failure));
            while inbox.wait(&mut outbox, None) && inbox.receive().is_ok() {}
            Ok(None)
        }
    }
}

/// Waits for CONFIG, which comes first.
fn read_config(inbox: &mut Inbox, outbox: &mut Outbox) -> Result<Option<Config>, Failure> {
    loop {
        match inbox.decoder.next_frame() {
            Ok(Some(frame)) => match control::parse(frame)? {
                Command::Config(config) => return Ok(Some(config)),
                _ => return Err(control::out_of_place()),
            },
            Ok(None) => {}
            Err(violation) => return Err(violation.into()),
        }
        let may_go_on = match inbox.receive() {
            Ok(Received::Nothing) => inbox.wait(outbox, None),
            Ok(Received::Framed { .. }) => true,
            _ => false,
        };
        if !may_go_on {
            return Ok(None);
        }
    }
}

fn prepare(config: Config) -> Result<Prepared, Failure> {
    if let Some(pid) = config.predecessor {
        continue_predecessor(pid);
    }
    let finds_client_directory = sys::enter_directory_of(config.client).is_ok();
    // Otherwise the file system of the working directory could not be unmounted.
    let _ = std::env::set_current_dir("/");
    sys::become_subreaper().map_err(|error| failed("become a subreaper", &error))?;
    let peer = Peer {
        pid: config.client,
        uid: nix::unistd::geteuid().as_raw(),
    };
    let no_socket = |error| failed("make a socket", &error);
    let listener = Listener::bind(peer).map_err(no_socket)?;
    sys::forget_inherited_dispositions();
    let children = ChildEvents::open([]).map_err(|error| failed("watch its sessions", &error))?;
    // All signals are blocked by now.
    let handlers = Handlers::install().map_err(|error| failed("catch signals", &error))?;
    let (notices, notices_of_sessions) = notice::sockets().map_err(no_socket)?;
    warm_up();
    Ok(Prepared {
        token: config.token,
        listener,
        children,
        handlers,
        notices,
        notices_of_sessions,
        finds_client_directory,
    })
}

/// Finds out beforehand what each session would find out for itself, in memory that all of them share then.
fn warm_up() {
    let _ = sys::sees_own_processes();
    // The standard library checks whether the kernel has statx(2).
    let _ = std::fs::metadata("/");
}
