// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What an owner says before there is a program: HELLO, CGROUP frames, START.

use crate::cli::cgroup::perform;
use crate::config::Config;
use crate::error::{Failure, Step};
use crate::session::signals::Signals;
use crate::wire::cgroup::{Action, Asked};
use crate::wire::control::{Control, Received};
use crate::wire::environment::Given;
use crate::wire::frame::{self, Command, Decoder, MAX_FRAME, MAX_START, PROTOCOL, Violation};
use crate::wire::notice::Notices;
use crate::wire::outbox::Outbox;
use crate::wire::start::{self, Start};
use crate::wire::transport::Transport;

/// What the session knows of its owner beforehand.
#[derive(Debug, Default)]
pub struct Invitation {
    /// What the owner has to show; nothing where the stream itself is proof enough.
    pub token: Vec<u8>,
    /// The environment that it may refer to.
    pub environment: Option<Given>,
    /// Whom to tell what the session came from.
    pub notices: Notices,
}

/// Waits for START. `None`: the stream was closed, or the owner is not the one that was invited.
pub fn open(
    control: &mut Control,
    outbox: &mut Outbox,
    signals: &Signals,
    transport: Transport,
    invitation: &Invitation,
) -> Result<Option<Box<Config>>, Failure> {
    control.decoder = Decoder::limited(MAX_START);
    let mut was_greeted = false;
    loop {
        while let Some(command) = control
            .decoder
            .next_command()
            .map_err(|violation| violated(&violation))?
        {
            match command {
                Command::Hello { protocol, token } if !was_greeted => {
                    check_version(protocol)?;
                    if token != invitation.token {
                        return Ok(None);
                    }
                    was_greeted = true;
                }
                Command::Start(fields) if was_greeted => {
                    match start::decode(fields, transport, invitation.environment.as_ref())? {
                        Start::Config(config) => {
                            control.decoder.limit(MAX_FRAME);
                            return Ok(Some(config));
                        }
                        Start::EnvironmentWanted => outbox.send(&frame::environment_wanted()),
                    }
                }
                Command::Cgroup {
                    action,
                    request,
                    fields,
                } if was_greeted => outbox.send(&reply(action, request, fields, None)),
                other => return Err(violated(&other.out_of_place())),
            }
        }
        let may_go_on = match control.receive() {
            Ok(Received::Nothing) => control.wait(outbox, Some(signals)),
            Ok(Received::Framed) => true,
            _ => false,
        };
        if !may_go_on {
            return Ok(None);
        }
    }
}

/// Does what a CGROUP frame asks for, and says what became of it. `own` is the path of the program's
/// group.
pub fn reply(action: Action, request: u32, fields: &[u8], own: Option<&str>) -> Vec<u8> {
    let result = Asked::decode(action, fields, own).and_then(|asked| perform(&asked));
    frame::reply(request, &result)
}

/// Refuses an owner of another version.
pub fn check_version(protocol: u16) -> Result<(), Failure> {
    if protocol == PROTOCOL {
        return Ok(());
    }
    let version = env!("CARGO_PKG_VERSION");
    Err(Failure::new(
        Step::Version,
        format!(
            "muontrap {version} speaks protocol {PROTOCOL}, and its caller protocol {protocol}"
        ),
    )
    .advice("rebuild the helper with mix deps.compile muontrap --force, and restart"))
}

/// A violation before the program runs.
pub fn violated(violation: &Violation) -> Failure {
    Failure::new(
        Step::Protocol,
        format!("protocol error: the owner sent {violation}"),
    )
}
