// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What `main` does: from the command line to an exit status.

use crate::cli::flags::Flags;
use crate::config::Config;
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure, Step};
use crate::session;
use crate::session::opening::{self, Invitation};
use crate::session::setup;
use crate::session::signals::Signals;
use crate::session::stdio;
use crate::session::terminal::Terminal;
use crate::sys::{self, Title};
use crate::wire::control::Control;
use crate::wire::frame;
use crate::wire::outbox::Outbox;
use crate::wire::transport::Transport;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// More than there is room for.
const LONGEST_TITLE: usize = 4096;

/// Says what is wrong with the command line, or prints the help that it asked for.
pub fn usage_error(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        diagnostics::say_lines(error.render().to_string());
        return EXIT_SETUP;
    }
    // To a reader of help who left there is nothing to say.
    let _ = error.print();
    0
}

/// What the command line says when it says nothing about a program, for an owner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// `--framed`, and what `--fds` says: one session.
    Framed(Option<&'a str>),
    /// `--fork-server`: sessions for all who connect.
    ForkServer,
}

impl<'a> Mode<'a> {
    /// That of a command line, of which the first word is muontrap's own name.
    pub fn find(words: &'a [OsString]) -> Option<Self> {
        match words.get(1..)? {
            [word] if word == "--fork-server" => Some(Self::ForkServer),
            [word] if word == "--framed" => Some(Self::Framed(None)),
            [word, fds] if word == "--framed" => {
                let fds = fds.to_str()?.strip_prefix("--fds=")?;
                Some(Self::Framed(Some(fds)))
            }
            _ => None,
        }
    }
}

/// Runs a whole session for a command line and returns the exit status of muontrap.
pub fn main(flags: &Flags) -> u8 {
    let transport = Transport::choose(flags);
    let result = prepare(transport).and_then(|owner| Ok((Config::new(flags, transport)?, owner)));
    match result {
        Ok((config, owner)) => run(config, owner),
        Err(failure) => print(&failure),
    }
}

/// Runs a whole session for an owner on the descriptors that `--fds` names.
pub fn framed(fds: Option<&str>) -> u8 {
    match Transport::framed(fds) {
        Ok(transport) => session(transport, Invitation::default(), None),
        Err(failure) => print(&failure),
    }
}

/// Runs a whole session for an owner that sends START, and returns the exit status of muontrap. With a
/// `title`, ps(1) shows which program it is about.
pub fn session(transport: Transport, invitation: Invitation, title: Option<Title>) -> u8 {
    let mut owner = match prepare(transport) {
        Ok(owner) => owner,
        Err(failure) => return print(&failure),
    };
    let Owner {
        control,
        outbox,
        signals,
        ..
    } = &mut owner;
    match opening::open(control, outbox, signals, transport, &invitation) {
        Ok(Some(mut config)) => {
            if let Some(title) = title {
                title.set(&title_of(&config));
            }
            config.notices = invitation.notices;
            run(*config, owner)
        }
        Ok(None) => EXIT_SETUP,
        Err(failure) => report(transport, &mut owner, &failure),
    }
}

fn run(mut config: Config, mut owner: Owner) -> u8 {
    let terminal = owner.terminal.take();
    let (control, outbox, signals) = (&mut owner.control, &owner.outbox, &owner.signals);
    let started = setup::start(&config, control, outbox, terminal, signals);
    let running = match started {
        Ok(running) => running,
        Err(failure) => return report(config.transport, &mut owner, &failure),
    };
    config.forget_program();
    let Owner {
        control,
        outbox,
        signals,
        ..
    } = owner;
    session::run(&config, control, outbox, signals, running).unwrap_or_else(|error| {
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

/// The way to and from an owner.
struct Owner {
    control: Control,
    outbox: Outbox,
    terminal: Option<Terminal>,
    signals: Signals,
}

/// In this order: nothing may be opened before it is known which descriptors were there.
fn prepare(transport: Transport) -> Result<Owner, Failure> {
    // Before there is a program that could get hold of the owner's pipes.
    sys::become_undumpable();
    let (control, outbox) = (Control::new(transport)?, stdio::outbox(transport)?);
    // An owner who acknowledges output has no terminal to share: it is no shell.
    let acknowledged = transport.is_acknowledged();
    let terminal = if acknowledged { None } else { Terminal::open() };
    let signals = Signals::install(acknowledged, terminal.is_some());
    let signals = signals
        .map_err(|error| Failure::new(Step::Spawn, "cannot catch signals").caused_by(&error))?;
    Ok(Owner {
        control,
        outbox,
        terminal,
        signals,
    })
}

fn print(failure: &Failure) -> u8 {
    diagnostics::say(failure);
    failure.exit_status
}

/// Tells the owner that the program never ran.
fn report(transport: Transport, owner: &mut Owner, failure: &Failure) -> u8 {
    if !matches!(transport, Transport::Framed { .. }) {
        return print(failure);
    }
    owner.outbox.send(&frame::failed(failure));
    owner
        .control
        .wait_for_close(&mut owner.outbox, &owner.signals);
    failure.exit_status
}
