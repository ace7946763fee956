// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What `main` does: from the command line to an exit status.

use crate::config::Config;
use crate::control::Control;
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure, Step};
use crate::flags::Flags;
use crate::outbox::Outbox;
use crate::protocol;
use crate::signals::Signals;
use crate::stdio;
use crate::terminal::Terminal;
use crate::transport::Transport;
use crate::{session, setup, sys};

/// Says what is wrong with the command line, or prints the help that it asked for.
pub fn usage_error(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        diagnostics::say_as_it_is(error.render().to_string());
        return EXIT_SETUP;
    }
    // To a reader of help who left there is nothing to say.
    let _ = error.print();
    0
}

/// Runs a whole session and returns the exit status of muontrap.
pub fn main(flags: &Flags, transport: Result<Transport, Failure>) -> u8 {
    // Before there is a program that could get hold of the owner's pipes.
    sys::become_undumpable();
    let result = transport.and_then(|transport| Ok((transport, prepare(transport)?)));
    let (transport, (mut control, mut outbox, terminal, signals)) = match result {
        Ok(ready) => ready,
        Err(failure) => return print(&failure),
    };
    let started = Config::new(flags, transport).and_then(|config| {
        let running = setup::start(&config, &mut control, &outbox, terminal, &signals)?;
        Ok((config, running))
    });
    match started {
        Ok((config, running)) => match session::run(&config, control, outbox, signals, running) {
            Ok(status) => status,
            Err(error) => {
                diagnostics::say(format_args!("the event loop failed: {error}"));
                EXIT_SETUP
            }
        },
        Err(failure) => report(transport, &mut control, &mut outbox, &signals, &failure),
    }
}

/// In this order: nothing may be opened before it is known which descriptors were there.
fn prepare(transport: Transport) -> Result<(Control, Outbox, Option<Terminal>, Signals), Failure> {
    let (control, outbox) = (Control::new(transport)?, stdio::outbox(transport)?);
    // An owner who acknowledges output has no terminal to share: it is no shell.
    let acknowledged = transport.is_acknowledged();
    let terminal = if acknowledged { None } else { Terminal::open() };
    let signals = Signals::install(acknowledged, terminal.is_some());
    let signals = signals
        .map_err(|error| Failure::new(Step::Spawn, "cannot catch signals").caused_by(&error))?;
    Ok((control, outbox, terminal, signals))
}

fn print(failure: &Failure) -> u8 {
    diagnostics::say(failure);
    failure.exit_status
}

/// Tells the owner that the program never ran.
fn report(
    transport: Transport,
    control: &mut Control,
    outbox: &mut Outbox,
    signals: &Signals,
    failure: &Failure,
) -> u8 {
    if !matches!(transport, Transport::Framed { .. }) {
        return print(failure);
    }
    outbox.send(&protocol::failed(failure));
    control.wait_for_close(outbox, signals);
    failure.exit_status
}
