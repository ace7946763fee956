// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Where the program's standard descriptors lead, and the way to the owner.

use crate::config::{Output, Stdin};
use crate::error::{Failure, Step};
use crate::process::spawn;
use crate::process::step::Stdio;
use crate::reactor::set_nonblocking;
use crate::stream::output::Relay;
use crate::stream::stdin::Input;
use crate::sys;
use crate::wire::frame::OutputStream;
use crate::wire::outbox::Outbox;
use crate::wire::transport::Transport;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::fchown;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

/// Where frames or raw output go.
pub fn outbox(transport: Transport) -> Result<Outbox, Failure> {
    let (output, outbox) = match transport {
        Transport::Plain | Transport::Terminal => return Ok(Outbox::nowhere()),
        Transport::Raw => (libc::STDOUT_FILENO, raw_stdout().map(Outbox::raw)),
        Transport::Framed { output, .. } => {
            let fd = sys::borrow_fd(output);
            let fd = fd.and_then(|fd| set_nonblocking(&fd).map(|()| fd));
            (output, fd.map(Outbox::framed))
        }
    };
    outbox.map_err(|error| {
        Failure::new(
            Step::Stdio,
            format!("cannot write to the owner on descriptor {output}"),
        )
        .caused_by(&error)
    })
}

/// muontrap's stdout, which does not block where that is possible without changing it for others who have
/// it, too: the program may, as its stderr, and so may whoever shares a terminal.
fn raw_stdout() -> io::Result<BorrowedFd<'static>> {
    let fd = sys::borrow_fd(libc::STDOUT_FILENO)?;
    let kind = SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT;
    if kind == SFlag::S_IFIFO {
        // Opened anew, a pipe has a status of its own.
        let opened = File::options()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/proc/self/fd/1");
        if let Ok(own) = opened {
            // Never closed: it is needed until muontrap exits.
            return sys::borrow_fd(own.into_raw_fd());
        }
    }
    if kind == SFlag::S_IFIFO || kind == SFlag::S_IFSOCK {
        set_nonblocking(&fd)?;
    }
    Ok(fd)
}

/// The program's stdin. A pipe is its own, never the owner's: it must not eat commands.
pub fn stdin(stdin: Stdin, user: Option<u32>) -> Result<(Stdio, Input), Failure> {
    match stdin {
        Stdin::Inherit => return Ok((Stdio::Inherit, Input::new(None))),
        Stdin::Null => return Ok((Stdio::Fd(dev_null()?), Input::new(None))),
        Stdin::Pipe => {}
    }
    let (reader, writer) = pipe_of(user, |(_, writer)| writer)?;
    Ok((Stdio::Fd(reader), Input::new(Some(writer))))
}

/// A pipe that belongs to the program's user, of which the end on this side does not block.
///
/// `/dev/stdout` and the like open the pipe anew, for which its owner counts.
fn pipe_of(
    user: Option<u32>,
    own_end: fn(&(OwnedFd, OwnedFd)) -> &OwnedFd,
) -> Result<(OwnedFd, OwnedFd), Failure> {
    let pipe = sys::pipe().and_then(|pipe| set_nonblocking(own_end(&pipe)).map(|()| pipe));
    let pipe = pipe.map_err(|error| Failure::cannot("create a pipe", &error))?;
    if let Some(user) = user {
        // Without CAP_CHOWN it stays as it is: the program can still read and write what it has open.
        let _ = fchown(&pipe.0, Some(user.into()), None);
    }
    Ok(pipe)
}

/// The program's stdout or stderr.
pub fn output(
    kind: OutputStream,
    output: Output,
    user: Option<u32>,
    relay: &mut Relay,
) -> Result<Stdio, Failure> {
    Ok(match output {
        Output::Capture => Stdio::Fd(captured(kind, user, relay)?),
        Output::Null => Stdio::Fd(dev_null()?),
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

fn captured(kind: OutputStream, user: Option<u32>, relay: &mut Relay) -> Result<OwnedFd, Failure> {
    let (reader, writer) = pipe_of(user, |(reader, _)| reader)?;
    relay.add(kind, reader);
    Ok(writer)
}
