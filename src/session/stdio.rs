// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Opens what the program's standard descriptors lead to.

use super::pty::Pty;
use crate::config::{Config, Output, OutputFile, Stdin};
use crate::error::Failure;
use crate::process::spawn;
use crate::process::stdio::{FileToOpen, Stdio};
use crate::reactor::set_nonblocking;
use crate::stream::output::Relay;
use crate::stream::stdin::Input;
use crate::sys;
use crate::wire::message::OutputStream;
use nix::unistd::fchown;
use std::ffi::CStr;
use std::os::fd::OwnedFd;

/// Permission bits of a new file, as in a shell.
const DEFAULT_MODE: u32 = 0o666;

/// The program's standard descriptors, and the session's ends of them.
pub(super) struct Opened {
    pub stdio: [Stdio; 3],
    pub input: Input,
    pub pty: Option<Pty>,
}

/// Opens what the program's standard descriptors lead to. `relay` gets the output that is captured.
pub(super) fn open(
    config: &Config,
    user: Option<u32>,
    relay: &mut Relay,
) -> Result<Opened, Failure> {
    let streams = config.streams;
    if let Some(settings) = config.pty {
        let pty = Pty::open(settings, user)?;
        pty.feed(relay)?;
        if streams.stdout == Output::Null {
            relay.discard();
        }
        return Ok(Opened {
            stdio: pty.stdio()?,
            input: pty.input()?,
            pty: Some(pty),
        });
    }
    let (stdin, input) = stdin(streams.stdin, config.stdin_path.as_deref(), user)?;
    let mut output = |stream, to, file| output(stream, to, file, user, relay);
    let stdout = output(OutputStream::Stdout, streams.stdout, &config.stdout_file)?;
    let stderr = output(OutputStream::Stderr, streams.stderr, &config.stderr_file)?;
    Ok(Opened {
        stdio: [stdin, stdout, stderr],
        input,
        pty: None,
    })
}

/// The program's stdin. It is never the owner's pipe, from which the program would take frames.
fn stdin(stdin: Stdin, path: Option<&CStr>, user: Option<u32>) -> Result<(Stdio, Input), Failure> {
    match stdin {
        Stdin::Inherit => return Ok((Stdio::Inherit, Input::new(None))),
        Stdin::Null => return Ok((Stdio::Fd(dev_null()?), Input::new(None))),
        Stdin::File => {
            let file = FileToOpen::input(path.unwrap_or_default().to_owned());
            return Ok((Stdio::File(file), Input::new(None)));
        }
        Stdin::Pipe => {}
    }
    let (reader, writer) = pipe_of(user, |(_, writer)| writer)?;
    Ok((Stdio::Fd(reader), Input::new(Some(writer))))
}

/// A pipe that belongs to the program's user, who may then open `/dev/stdout` and the like. The session's end does
/// not block.
fn pipe_of(
    user: Option<u32>,
    own_end: fn(&(OwnedFd, OwnedFd)) -> &OwnedFd,
) -> Result<(OwnedFd, OwnedFd), Failure> {
    let pipe = sys::pipe().and_then(|pipe| set_nonblocking(own_end(&pipe)).map(|()| pipe));
    let pipe = pipe.map_err(|error| Failure::cannot("create a pipe", &error))?;
    if let Some(user) = user {
        // Without CAP_CHOWN the program can still use the end that it has open.
        let _ = fchown(&pipe.0, Some(user.into()), None);
    }
    Ok(pipe)
}

/// The program's stdout or stderr.
fn output(
    stream: OutputStream,
    output: Output,
    file: &OutputFile,
    user: Option<u32>,
    relay: &mut Relay,
) -> Result<Stdio, Failure> {
    Ok(match output {
        Output::Capture => Stdio::Fd(captured(stream, user, relay)?),
        Output::Null => Stdio::Fd(dev_null()?),
        Output::File => {
            let path = file.path.clone().unwrap_or_default();
            let mode = file.mode.unwrap_or(DEFAULT_MODE);
            Stdio::File(FileToOpen::output(path, file.append, mode))
        }
        Output::Inherit => Stdio::Inherit,
        Output::Stdout => Stdio::Stdout,
        Output::OwnStdout => {
            let own = sys::duplicate(libc::STDOUT_FILENO);
            Stdio::Fd(own.map_err(|error| Failure::cannot("duplicate stdout", &error))?)
        }
    })
}

fn dev_null() -> Result<OwnedFd, Failure> {
    spawn::dev_null().map_err(|error| Failure::cannot("open /dev/null", &error).path("/dev/null"))
}

fn captured(
    stream: OutputStream,
    user: Option<u32>,
    relay: &mut Relay,
) -> Result<OwnedFd, Failure> {
    let (reader, writer) = pipe_of(user, |(reader, _)| reader)?;
    relay.add(stream, reader);
    Ok(writer)
}
