// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What an owner sends before there is a program: HELLO, CGROUP frames, `KILL_LEFTOVERS`, USAGE, START.

use super::owner::Owner;
use super::signals::Handlers;
use crate::cgroup::Host;
use crate::config::Config;
use crate::error::Failure;
use crate::process::leftovers::Leftovers;
use crate::process::usage;
use crate::sys;
use crate::wire::cgroup;
use crate::wire::environment::Given;
use crate::wire::frame::{Decoder, MAX_FRAME, MAX_START};
use crate::wire::inbox::Received;
use crate::wire::leftovers;
use crate::wire::message::{self, CgroupCommand, Command, check_protocol};
use crate::wire::notice::Notices;
use crate::wire::start::{self, Start};
use crate::wire::usage as usage_fields;
use crate::wire::violation::Violation;

/// What the session has from its fork server, for the time after START. Without one, nothing.
#[derive(Debug, Default)]
pub(crate) struct ForkServer {
    pub notices: Notices,
    /// The host as it was a moment ago.
    pub host: Option<Host>,
    /// Whether the owner is likely to wait for the end of the program, and not only for its start as that of a daemon.
    pub owner_awaits_end: bool,
}

/// What the session knows of its owner beforehand.
#[derive(Debug, Default)]
pub(crate) struct Invitation {
    /// What HELLO has to show; nothing where the stream itself is proof enough.
    pub token: Vec<u8>,
    /// The environment that START may name.
    pub environment: Option<Given>,
    pub server: ForkServer,
    /// Those that are installed already.
    pub handlers: Option<Handlers>,
    /// The client's process, if the kernel has told it.
    pub client: Option<i32>,
}

/// Waits for START. `None` when the stream was closed, or the token is wrong.
pub(super) fn open(
    owner: &mut Owner,
    invitation: &mut Invitation,
) -> Result<Option<Box<Config>>, Failure> {
    owner.inbox.decoder = Decoder::limited(MAX_START);
    let mut was_greeted = false;
    loop {
        while let Some(frame) = owner.inbox.decoder.next_frame()? {
            match Command::parse(frame)? {
                Command::Hello(hello) if !was_greeted => {
                    check_protocol(hello.protocol)?;
                    if hello.token != invitation.token {
                        return Ok(None);
                    }
                    was_greeted = true;
                }
                Command::Start(fields) if was_greeted => {
                    let environment = invitation.environment.as_mut();
                    match start::decode(fields, owner.transport, environment)? {
                        Start::Config(config) if enters_directory(&config, invitation.client) => {
                            owner.inbox.decoder.limit(MAX_FRAME);
                            return Ok(Some(config));
                        }
                        _ => {
                            owner.outbox.send(&message::environment_wanted());
                        }
                    }
                }
                Command::Cgroup(command) if was_greeted => {
                    owner.outbox.send(&reply(command, None));
                }
                Command::KillLeftovers { request, fields } if was_greeted => {
                    let result = leftovers::decode(fields).and_then(Leftovers::kill_for_reply);
                    owner.outbox.send(&message::reply(request, &result));
                }
                Command::Usage { request, fields } if was_greeted => {
                    let sessions = usage_fields::decode(fields);
                    let result = sessions.and_then(|sessions| usage::reply(&sessions));
                    owner.outbox.send(&message::reply(request, &result));
                }
                _ => return Err(Violation::Unexpected(frame.tag).into()),
            }
        }
        let may_go_on = match owner.inbox.receive() {
            Ok(Received::Nothing) => owner.wait(),
            Ok(Received::Framed { .. }) => true,
            _ => false,
        };
        if !may_go_on {
            return Ok(None);
        }
    }
}

/// Enters the client's directory, if the program is to start there. Returns `false` if that is not possible.
fn enters_directory(config: &Config, client: Option<i32>) -> bool {
    !config.uses_client_directory || client.is_some_and(|pid| sys::enter_directory_of(pid).is_ok())
}

/// Carries out a CGROUP frame, and returns the answer. `own` is the path of the program's cgroup.
pub(super) fn reply(command: CgroupCommand<'_>, own: Option<&str>) -> Vec<u8> {
    let operation = cgroup::operation(command, own);
    let result = operation.and_then(|operation| operation.run());
    message::reply(command.request, &result)
}
