// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The Setup state: everything up to the program's exec.

use crate::cgroup::{Cgroup, Host};
use crate::config::Config;
use crate::control::Control;
use crate::emergency;
use crate::environment;
use crate::error::{Failure, Step};
use crate::identity::Identity;
use crate::input::Input;
use crate::outbox::Outbox;
use crate::process::permission::may_stop;
use crate::process::sweep::Sweep;
use crate::program;
use crate::reactor::{Reactor, Source};
use crate::relay::Relay;
use crate::signals::Signals;
use crate::spawn::{self, Plan};
use crate::stdio;
use crate::sys;
use crate::terminal::Terminal;
use crate::transport::Transport;
use crate::wait::{Wait, WhileWanted};
use crate::window::Window;
use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;
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
    /// The terminal that it may be lent.
    pub terminal: Option<Terminal>,
    /// Readiness of all of these.
    pub reactor: Reactor,
    /// Its cgroup.
    pub cgroup: Option<Cgroup>,
    /// What finds and kills that which the program leaves behind.
    pub sweep: Sweep,
}

/// Starts the program. On failure nothing is left of the attempt.
pub fn start(
    config: &Config,
    control: &mut Control,
    outbox: &Outbox,
    terminal: Option<Terminal>,
    signals: &Signals,
) -> Result<Running, Failure> {
    sys::cloexec_from_3();
    let commands = control.fd();
    let wait = WhileWanted::new(control, outbox, signals);
    start_while(config, commands, outbox, terminal, signals, &wait).map_err(|failure| {
        if wait.is_canceled() {
            let message = "muontrap was told to stop before the program was started";
            Failure::new(Step::Stopped, message)
        } else {
            failure
        }
    })
}

fn start_while(
    config: &Config,
    commands: BorrowedFd<'static>,
    outbox: &Outbox,
    terminal: Option<Terminal>,
    signals: &Signals,
    wait: &dyn Wait,
) -> Result<Running, Failure> {
    let mut sweep = Sweep::prepare()
        .map_err(|error| failed("tell the program's processes from others", &error))?;
    emergency::prepare(sweep.strangers().clone());
    // Before becoming a subreaper: this may run getent, whose descendants are not the program's.
    let identity = config.identity.resolve(wait)?;
    identity.uid.map_or(Ok(()), may_stop)?;
    sys::become_subreaper().map_err(|error| failed("become a subreaper", &error))?;
    let path = program::find(&config.program)?;
    let cgroup = create_cgroup(config, wait)?;
    emergency::rehearse("setup");
    let mut attempt = Attempt {
        config,
        commands,
        outbox,
        identity: &identity,
        path: &path,
        cgroup: cgroup.as_ref(),
        terminal,
        signals,
        wait,
        relay: Relay::new(window(config)),
    };
    // Before the exec, since the program may be well under way by the time its start is known here.
    let since = Instant::now();
    match attempt.launch() {
        Ok((pid, input, reactor)) => {
            emergency::note_start(pid);
            sweep.expect_group(pid);
            emergency::rehearse("started");
            Ok(Running {
                pid,
                since,
                input,
                relay: attempt.relay,
                terminal: attempt.terminal,
                reactor,
                cgroup,
                sweep,
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

fn create_cgroup(config: &Config, wait: &dyn Wait) -> Result<Option<Cgroup>, Failure> {
    let Some(request) = &config.cgroup else {
        return Ok(None);
    };
    let cgroup = Cgroup::create_while(&Host::detect()?, request, wait)?;
    emergency::note_cgroup(cgroup.place());
    Ok(Some(cgroup))
}

/// Everything that is prepared before the fork.
struct Attempt<'a> {
    config: &'a Config,
    commands: BorrowedFd<'static>,
    outbox: &'a Outbox,
    identity: &'a Identity,
    path: &'a CStr,
    cgroup: Option<&'a Cgroup>,
    terminal: Option<Terminal>,
    signals: &'a Signals,
    wait: &'a dyn Wait,
    relay: Relay,
}

impl Attempt<'_> {
    fn launch(&mut self) -> Result<(i32, Input, Reactor), Failure> {
        let config = self.config;
        let user = self.identity.uid;
        let (stdin, input) = stdio::stdin(config.transport, user)?;
        let (stdout, stderr) = stdio::outputs(config, user, &mut self.relay)?;
        // Last but for the program itself: once that runs, nothing here may fail.
        let reactor = reactor(
            config.transport,
            self.commands,
            self.outbox,
            self.signals,
            &self.relay,
        )
        .map_err(|error| failed("watch descriptors", &error))?;
        let environment = environment::decoded();
        let spawned = spawn::spawn(&Plan {
            terminal: self.terminal.as_mut().and_then(Terminal::lend_at_start),
            path: self.path,
            argv: &config.argv,
            environment: environment.as_deref(),
            cd: config.cd.as_deref(),
            identity: self.identity,
            wait: self.wait,
            cpu_limit: self.signals.cpu_limit(),
            cgroup: self.cgroup,
            stdio: [stdin, stdout, stderr],
        });
        if let Some(terminal) = &mut self.terminal {
            match spawned {
                Ok(pid) => terminal.note_start(pid),
                Err(_) => terminal.take_back(),
            }
        }
        Ok((spawned?, input, reactor))
    }
}

fn window(config: &Config) -> Window {
    match config.transport {
        Transport::Raw => Window::held_back_by_nothing(config.window),
        _ => Window::new(config.window),
    }
}

pub(crate) fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::new(Step::Spawn, format!("cannot {what}")).caused_by(error)
}

fn reactor(
    transport: Transport,
    commands: BorrowedFd<'static>,
    outbox: &Outbox,
    signals: &Signals,
    relay: &Relay,
) -> io::Result<Reactor> {
    let reactor = Reactor::new()?;
    reactor.watch_read(Source::Signal, signals)?;
    if transport == Transport::Terminal {
        reactor.watch_end(Source::ControlIn, &commands)?;
    } else {
        reactor.watch_read(Source::ControlIn, &commands)?;
    }
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
