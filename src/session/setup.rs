// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The Setup state: everything up to the program's exec.

use crate::cgroup::{self, Cgroup, Host};
use crate::config::Config;
use crate::error::{Failure, Step};
use crate::process::credentials::Credentials;
use crate::process::find;
use crate::process::permission::may_stop;
use crate::process::proc_table::Entry;
use crate::process::spawn::spawn;
use crate::process::step::{CgroupEntry, Program};
use crate::process::sweep::Sweep;
use crate::reactor::{Reactor, Source};
use crate::session::emergency;
use crate::session::interruptible::InterruptibleWait;
use crate::session::signals::Signals;
use crate::session::stdio;
use crate::session::terminal::Terminal;
use crate::stream::output::Relay;
use crate::stream::stdin::Input;
use crate::stream::window::Window;
use crate::sys;
use crate::wait::Wait;
use crate::wire::control::Control;
use crate::wire::frame::OutputStream;
use crate::wire::outbox::Outbox;
use crate::wire::transport::Transport;
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

/// A program that runs, and all that is needed to look after it.
#[derive(Debug)]
pub struct Running {
    /// Its pid, which is its process group too.
    pub pid: i32,
    /// When its process started, in clock ticks since boot; 0 if that is not known.
    pub start_time: u64,
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
    let (commands, is_socket) = (control.fd(), control.is_socket());
    let wait = InterruptibleWait::new(control, outbox, signals);
    let from = (commands, is_socket);
    start_while(config, from, outbox, terminal, signals, &wait).map_err(|failure| {
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
    (commands, is_socket): (BorrowedFd<'static>, bool),
    outbox: &Outbox,
    terminal: Option<Terminal>,
    signals: &Signals,
    wait: &dyn Wait,
) -> Result<Running, Failure> {
    let mut sweep = Sweep::prepare()
        .map_err(|error| Failure::cannot("tell the program's processes from others", &error))?;
    emergency::prepare(sweep.preexisting().clone());
    enter_directory(config)?;
    // Before becoming a subreaper: this may run getent, whose descendants are not the program's.
    let credentials = config.identity.resolve(wait)?;
    credentials.uid.map_or(Ok(()), may_stop)?;
    sys::become_subreaper().map_err(|error| Failure::cannot("become a subreaper", &error))?;
    let path = find::find(&config.program, &config.lookup)?;
    let cgroup = create_cgroup(config, wait)?;
    emergency::rehearse("setup");
    let mut attempt = Attempt {
        config,
        commands,
        is_socket,
        outbox,
        credentials: &credentials,
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
            sweep.set_program(pid);
            emergency::rehearse("started");
            Ok(Running {
                pid,
                start_time: start_time(pid),
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
    let told = config.notices.group(request);
    told.map_err(|error| Failure::cannot("reach the fork server", &error))?;
    let made = Host::detect()
        .and_then(|host| cgroup::Plan::new(&host, request))
        .and_then(|plan| Cgroup::create(&plan, wait));
    let cgroup = made.map_err(|error| error.into_failure(Some(&request.group)))?;
    emergency::note_cgroup(cgroup.locations());
    Ok(Some(cgroup))
}

/// Everything that is prepared before the fork.
struct Attempt<'a> {
    config: &'a Config,
    commands: BorrowedFd<'static>,
    is_socket: bool,
    outbox: &'a Outbox,
    credentials: &'a Credentials,
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
        let user = self.credentials.uid;
        let streams = config.streams;
        let (stdin, input) = stdio::stdin(streams.stdin, user)?;
        let relay = &mut self.relay;
        let stdout = stdio::output(OutputStream::Stdout, streams.stdout, user, relay)?;
        let stderr = stdio::output(OutputStream::Stderr, streams.stderr, user, relay)?;
        // Last but for the program itself: once that runs, nothing here may fail.
        let reactor = self
            .reactor()
            .map_err(|error| Failure::cannot("watch descriptors", &error))?;
        let program = Program {
            path: self.path,
            argv: &config.argv,
            environment: config.environment.as_deref(),
            stdio: [stdin, stdout, stderr],
            credentials: self.credentials,
            attributes: &config.attributes,
            cgroups: self.cgroup.map(cgroup_entries).unwrap_or_default(),
            terminal: self.terminal.as_mut().and_then(Terminal::lend_at_start),
            cpu_limit: self.signals.cpu_limit(),
        };
        let spawned = spawn(&program, self.wait);
        // With it this process's copies of the program's descriptors.
        drop(program);
        if let Some(terminal) = &mut self.terminal {
            match spawned {
                Ok(pid) => terminal.note_start(pid),
                Err(_) => terminal.take_back(),
            }
        }
        Ok((spawned?, input, reactor))
    }

    fn reactor(&self) -> io::Result<Reactor> {
        let reactor = Reactor::new()?;
        reactor.watch_read(Source::Signal, self.signals)?;
        if self.config.transport == Transport::Terminal {
            reactor.watch_end(Source::ControlIn, &self.commands)?;
        } else {
            reactor.watch_read(Source::ControlIn, &self.commands)?;
        }
        if let Some(fd) = self.outbox.fd().filter(|_| !self.is_socket) {
            match reactor.watch_write(Source::ControlOut, &fd) {
                // A file, which takes everything and is never closed: epoll_ctl(2).
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                result => result?,
            }
        }
        for (source, fd) in self.relay.sources() {
            reactor.watch_read(source, fd)?;
        }
        Ok(reactor)
    }
}

fn start_time(pid: i32) -> u64 {
    let process = Entry::open(pid).and_then(|entry| entry.stat());
    process.map_or(0, |process| process.started)
}

/// Here and not in the child, so that names are looked up from there.
fn enter_directory(config: &Config) -> Result<(), Failure> {
    let Some(directory) = config.directory.as_deref() else {
        return Ok(());
    };
    nix::unistd::chdir(directory).map_err(|errno| {
        let path = directory.to_string_lossy();
        Failure::new(
            Step::Cd,
            format!("cannot change to the working directory {path:?} of the caller"),
        )
        .errno(errno as i32)
        .path(OsStr::from_bytes(directory.to_bytes()))
    })
}

fn cgroup_entries(cgroup: &Cgroup) -> Vec<CgroupEntry<'_>> {
    let entries = cgroup.entries().map(|entry| CgroupEntry {
        procs: entry.procs,
        explain: Box::new(move |errno| entry.error(errno).into()),
    });
    entries.collect()
}

fn window(config: &Config) -> Window {
    match config.transport {
        Transport::Raw => Window::held_back_by_nothing(config.window),
        _ => Window::new(config.window),
    }
}
