// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What `main` does: from the command line to an exit status.

use crate::config::Config;
use crate::control::Control;
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure};
use crate::flags::Flags;
use crate::outbox::Outbox;
use crate::protocol;
use crate::transport::Transport;
use crate::{reactor, session, setup, sys};

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
    let transport = match transport {
        Ok(transport) => transport,
        Err(failure) => return print(&failure),
    };
    let mut control = match Control::new(transport) {
        Ok(control) => control,
        Err(failure) => return print(&failure),
    };
    let config = match Config::new(flags, transport) {
        Ok(config) => config,
        Err(failure) => return report(transport, &mut control, &failure),
    };
    match setup::start(&config, &control) {
        Ok(running) => match session::run(&config, control, running) {
            Ok(status) => status,
            Err(error) => {
                diagnostics::say(format_args!("the event loop failed: {error}"));
                EXIT_SETUP
            }
        },
        Err(failure) => report(transport, &mut control, &failure),
    }
}

fn print(failure: &Failure) -> u8 {
    diagnostics::say(failure);
    failure.exit_status
}

/// Tells the owner that the program never ran.
fn report(transport: Transport, control: &mut Control, failure: &Failure) -> u8 {
    let Transport::Framed { output, .. } = transport else {
        return print(failure);
    };
    let fd = sys::borrow_fd(output).and_then(|fd| reactor::set_nonblocking(&fd).map(|()| fd));
    let Ok(fd) = fd else {
        return print(failure);
    };
    let mut outbox = Outbox::framed(fd);
    outbox.send(&protocol::failed(failure));
    control.wait_for_close(&mut outbox);
    failure.exit_status
}
