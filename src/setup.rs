// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The Setup state: everything up to the program's exec.

use crate::cgroup::{Cgroup, Host};
use crate::config::{Capture, Config, Transport};
use crate::control::Control;
use crate::descendants;
use crate::emergency;
use crate::environment;
use crate::error::{Failure, Step};
use crate::identity::Identity;
use crate::input::Input;
use crate::outbox::Outbox;
use crate::program;
use crate::protocol::OutputStream;
use crate::reactor::{Reactor, Source, set_nonblocking};
use crate::relay::Relay;
use crate::signals::Signals;
use crate::spawn::{self, Plan, Stdio};
use crate::sys::{self, CpuLimit};
use nix::unistd::fchown;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// A program that runs, and all that is needed to look after it.
#[derive(Debug)]
pub struct Running {
    /// Its pid, which is its process group too.
    pub pid: i32,
    /// When it was exec'ed.
    pub since: Instant,
    /// Its stdin.
    pub input: Input,
    /// Its captured output.
    pub relay: Relay,
    /// The way to the owner.
    pub outbox: Outbox,
    /// Readiness of all of these.
    pub reactor: Reactor,
    /// Signals to this process.
    pub signals: Signals,
    /// Seconds of CPU time that this process may use, where it is limited.
    pub cpu_limit: Option<u64>,
    /// Its cgroup.
    pub cgroup: Option<Cgroup>,
    /// Children that this process had before.
    pub strangers: Vec<i32>,
}

/// Starts the program. On failure nothing is left of the attempt.
pub fn start(config: &Config, control: &Control) -> Result<Running, Failure> {
    sys::cloexec_from_3();
    let outbox = outbox(config.transport)?;
    let cpu_limit = CpuLimit::lift();
    let has_limit = cpu_limit.is_some_and(|limit| limit.left.is_some());
    let framed = config.transport != Transport::Plain;
    let signals =
        Signals::install(framed, has_limit).map_err(|error| failed("catch signals", &error))?;
    let strangers = strangers();
    emergency::prepare(&strangers);
    // First, since it may run a program for it, which is gone by then.
    let identity = config.identity.resolve()?;
    sys::become_subreaper().map_err(|error| failed("become a subreaper", &error))?;
    let path = program::find(&config.program)?;
    let cgroup = match &config.cgroup {
        Some(request) => Some(Cgroup::create(&Host::detect()?, request)?),
        None => None,
    };
    if let Some(cgroup) = &cgroup {
        emergency::note_cgroup(cgroup.place());
    }
    emergency::rehearse("setup");
    let mut attempt = Attempt {
        config,
        control,
        outbox: &outbox,
        identity: &identity,
        path: &path,
        cgroup: cgroup.as_ref(),
        signals: &signals,
        cpu_limit,
        relay: Relay::new(config.window),
    };
    // Before the exec, since the program may be well under way by the time its start is known here.
    let since = Instant::now();
    match attempt.launch() {
        Ok((pid, input, reactor)) => {
            emergency::note_start(pid);
            emergency::rehearse("started");
            Ok(Running {
                pid,
                since,
                input,
                relay: attempt.relay,
                outbox,
                reactor,
                signals,
                cpu_limit: cpu_limit.and_then(|limit| limit.left),
                cgroup,
                strangers,
            })
        }
        Err(failure) => {
            if let Some(cgroup) = cgroup {
                cgroup.discard();
            }
            Err(failure)
        }
    }
}

/// What is ready when only the program is missing.
struct Attempt<'a> {
    config: &'a Config,
    control: &'a Control,
    outbox: &'a Outbox,
    identity: &'a Identity,
    path: &'a CStr,
    cgroup: Option<&'a Cgroup>,
    signals: &'a Signals,
    cpu_limit: Option<CpuLimit>,
    relay: Relay,
}

impl Attempt<'_> {
    fn launch(&mut self) -> Result<(i32, Input, Reactor), Failure> {
        let config = self.config;
        let user = self.identity.uid;
        let (stdin, input) = stdin(config.transport, user)?;
        let (stdout, stderr) = outputs(config, user, &mut self.relay)?;
        // Last but for the program itself: once that runs, nothing here may fail.
        let reactor = reactor(self.control, self.outbox, self.signals, &self.relay)
            .map_err(|error| failed("watch descriptors", &error))?;
        let environment = environment::decoded();
        let pid = spawn::spawn(&Plan {
            path: self.path,
            argv: &config.argv,
            environment: environment.as_deref(),
            cd: config.cd.as_deref(),
            identity: self.identity,
            cpu_limit: self.cpu_limit,
            cgroup: self.cgroup,
            stdio: [stdin, stdout, stderr],
        })?;
        Ok((pid, input, reactor))
    }
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::new(Step::Spawn, format!("cannot {what}")).caused_by(error)
}

/// A process that becomes muontrap by exec may have children already. They are none of its business.
fn strangers() -> Vec<i32> {
    let me = nix::unistd::getpid().as_raw();
    if !sys::has_children() {
        return Vec::new();
    }
    let table = descendants::process_table().unwrap_or_default();
    table
        .iter()
        .filter(|process| process.ppid == me)
        .map(|process| process.pid)
        .collect()
}

fn outbox(transport: Transport) -> Result<Outbox, Failure> {
    let Transport::Framed { output, .. } = transport else {
        return Ok(Outbox::nowhere());
    };
    let fd = sys::borrow_fd(output).and_then(|fd| set_nonblocking(&fd).map(|()| fd));
    fd.map(Outbox::new).map_err(|error| {
        Failure::new(
            Step::Stdio,
            format!("cannot write frames to descriptor {output}"),
        )
        .caused_by(&error)
    })
}

/// The program's stdin is a pipe of its own, never the owner's: it must not eat commands. It is
/// muontrap's own only where the owner talks over other descriptors than 0 to 2.
fn stdin(transport: Transport, user: Option<u32>) -> Result<(Stdio, Input), Failure> {
    if owns_stdio(transport) {
        return Ok((Stdio::Inherit, Input::new(None)));
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
    let pipe = pipe.map_err(|error| failed("create a pipe", &error))?;
    if let Some(user) = user {
        // Without CAP_CHOWN it stays as it is: the program can still read and write what it has open.
        let _ = fchown(&pipe.0, Some(user.into()), None);
    }
    Ok(pipe)
}

fn owns_stdio(transport: Transport) -> bool {
    matches!(transport, Transport::Framed { input, output } if input > 2 && output > 2)
}

fn outputs(
    config: &Config,
    user: Option<u32>,
    relay: &mut Relay,
) -> Result<(Stdio, Stdio), Failure> {
    let Capture {
        stdout,
        stderr,
        stderr_only,
    } = config.capture;
    let null =
        || spawn::dev_null().map_err(|error| failed("open /dev/null", &error).path("/dev/null"));
    let passes_through = config.transport == Transport::Plain || owns_stdio(config.transport);
    Ok(match (config.transport, stderr_only, stdout) {
        // What would be sent to the owner goes to muontrap's own stdout. The order matters: stderr
        // is a copy of that, while stdout goes elsewhere.
        (Transport::Plain, true, _) => {
            let own = sys::duplicate(libc::STDOUT_FILENO)
                .map_err(|error| failed("duplicate stdout", &error))?;
            (Stdio::Fd(null()?), Stdio::Fd(own))
        }
        (Transport::Framed { .. }, true, _) => {
            let stderr = captured(OutputStream::Stderr, user, relay)?;
            (Stdio::Fd(null()?), Stdio::Fd(stderr))
        }
        (Transport::Framed { .. }, false, true) => {
            let stdout = captured(OutputStream::Stdout, user, relay)?;
            (Stdio::Fd(stdout), merged(stderr))
        }
        _ if passes_through => (Stdio::Inherit, merged(stderr)),
        _ => (Stdio::Fd(null()?), merged(stderr)),
    })
}

fn merged(stderr_to_stdout: bool) -> Stdio {
    if stderr_to_stdout {
        Stdio::Stdout
    } else {
        Stdio::Inherit
    }
}

fn captured(kind: OutputStream, user: Option<u32>, relay: &mut Relay) -> Result<OwnedFd, Failure> {
    let (reader, writer) = pipe_of(user, |(reader, _)| reader)?;
    relay.add(kind, reader);
    Ok(writer)
}

fn reactor(
    control: &Control,
    outbox: &Outbox,
    signals: &Signals,
    relay: &Relay,
) -> io::Result<Reactor> {
    let reactor = Reactor::new()?;
    reactor.watch_read(Source::Signal, signals)?;
    reactor.watch_read(Source::ControlIn, control)?;
    if let Some(fd) = outbox.fd() {
        match reactor.watch_write(Source::ControlOut, &fd) {
            // A file, which takes everything and is never closed: epoll_ctl(2).
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result?,
        }
    }
    for (source, fd) in relay.sources() {
        reactor.watch_read(source, fd)?;
    }
    Ok(reactor)
}
