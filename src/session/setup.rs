// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The Setup state: everything up to the program's exec.

use super::emergency;
use super::interruptible::InterruptibleWait;
use super::notify_socket::NotifySocket;
use super::opening::ForkServer;
use super::owner::Owner;
use super::pty::Pty;
use super::signals::Signals;
use super::stdio::{self, Opened};
use super::terminal::Terminal;
use crate::cgroup::{Cgroup, Host};
use crate::config::Config;
use crate::error::{Failure, Step};
use crate::process::find;
use crate::process::permission::may_stop;
use crate::process::program::{CgroupEntry, Program};
use crate::process::spawn::{Started, spawn};
use crate::process::sweep::Sweep;
use crate::reactor::{Reactor, Source};
use crate::stream::output::Relay;
use crate::stream::stdin::Input;
use crate::stream::window::Window;
use crate::sys;
use crate::user::Identity;
use crate::wait::Wait;
use crate::wire::notice::Notices;
use crate::wire::transport::Transport;
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

/// A program that runs, and what is needed to supervise it.
#[derive(Debug)]
pub(super) struct Running {
    /// The program's pid, which is its process group too.
    pub pid: i32,
    /// In clock ticks since boot; 0 if that is not known.
    pub start_time: u64,
    /// From just before the exec.
    pub since: Instant,
    pub input: Input,
    pub relay: Relay,
    /// The program's terminal.
    pub pty: Option<Pty>,
    pub notify: Option<NotifySocket>,
    /// Watches all descriptors of the session.
    pub reactor: Reactor,
    pub cgroup: Option<Cgroup>,
    pub sweep: Sweep,
}

/// Starts the program. On failure nothing is left of the attempt.
pub(super) fn start(
    config: &Config,
    owner: &mut Owner,
    server: &ForkServer,
) -> Result<Running, Failure> {
    sys::cloexec_from_3();
    let (inbox, is_socket) = (owner.inbox.fd(), owner.inbox.is_socket());
    let wait = InterruptibleWait::new(&mut owner.inbox, &owner.outbox, &owner.signals);
    let setup = Setup {
        config,
        notices: &server.notices,
        host: server.host.as_ref(),
        transport: owner.transport,
        inbox,
        // A socket is watched only when that is of use: `Session::watch_for_room`.
        outbox: owner.outbox.fd().filter(|_| !is_socket),
        signals: &owner.signals,
        terminal: owner.terminal.as_mut(),
        wait: &wait,
    };
    setup.start().map_err(|failure| {
        if wait.is_canceled() {
            let message = "muontrap was told to stop before the program was started";
            Failure::new(Step::Stopped, message)
        } else {
            failure
        }
    })
}

struct Launched {
    started: Started,
    input: Input,
    pty: Option<Pty>,
    notify: Option<NotifySocket>,
    reactor: Reactor,
}

struct Setup<'a> {
    config: &'a Config,
    notices: &'a Notices,
    host: Option<&'a Host>,
    transport: Transport,
    inbox: BorrowedFd<'static>,
    outbox: Option<BorrowedFd<'static>>,
    signals: &'a Signals,
    terminal: Option<&'a mut Terminal>,
    wait: &'a dyn Wait,
}

impl Setup<'_> {
    fn start(mut self) -> Result<Running, Failure> {
        let mut sweep = Sweep::prepare()
            .map_err(|error| Failure::cannot("tell the program's processes from others", &error))?;
        emergency::arm(sweep.handover());
        self.enter_directory()?;
        // Before becoming a subreaper: this may run getent, whose descendants are not the program's.
        let identity = self.config.user.resolve(self.wait)?;
        identity.credentials.uid.map_or(Ok(()), may_stop)?;
        sys::become_subreaper().map_err(|error| Failure::cannot("become a subreaper", &error))?;
        let path = find::find(&self.config.program, &self.config.lookup)?;
        let cgroup = self.create_cgroup()?;
        emergency::inject_panic("setup");
        let mut relay = Relay::new(self.window());
        // Before the exec: the program may be well under way by the time that its start is known here.
        let since = Instant::now();
        match self.launch(&path, &identity, cgroup.as_ref(), &mut relay) {
            Ok(Launched {
                started: Started {
                    pid, start_time, ..
                },
                input,
                pty,
                notify,
                reactor,
            }) => {
                emergency::record_start(pid);
                sweep.set_program(pid);
                if let Some(watch) = sweep.watch() {
                    // At worst, some of what it starts is not found.
                    let _ = reactor.watch_read(Source::Forks, &watch);
                    let _ = self.notices.started(&sweep.find_forked());
                }
                emergency::inject_panic("started");
                Ok(Running {
                    pid,
                    start_time,
                    since,
                    input,
                    relay,
                    pty,
                    notify,
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

    /// In this process instead of the child, since the program is looked for relative to it.
    fn enter_directory(&self) -> Result<(), Failure> {
        let Some(directory) = self.config.directory.as_deref() else {
            return Ok(());
        };
        nix::unistd::chdir(directory).map_err(|errno| {
            let path = directory.to_string_lossy();
            let message = format!("cannot change to the working directory {path:?} of the caller");
            Failure::new(Step::Cd, message)
                .errno(errno as i32)
                .path(OsStr::from_bytes(directory.to_bytes()))
        })
    }

    fn create_cgroup(&self) -> Result<Option<Cgroup>, Failure> {
        let Some(request) = &self.config.cgroup else {
            return Ok(None);
        };
        let told = self.notices.group(request);
        told.map_err(|error| Failure::cannot("reach the fork server", &error))?;
        let made = Cgroup::create_for(request, self.host, self.wait);
        let cgroup = made.map_err(|error| error.into_failure(Some(&request.group)))?;
        emergency::record_cgroup(cgroup.locations());
        Ok(Some(cgroup))
    }

    fn window(&self) -> Window {
        match self.transport {
            Transport::Raw => Window::without_threshold(self.config.window),
            _ => Window::new(self.config.window),
        }
    }

    fn launch(
        &mut self,
        path: &CStr,
        identity: &Identity,
        cgroup: Option<&Cgroup>,
        relay: &mut Relay,
    ) -> Result<Launched, Failure> {
        let config = self.config;
        let Identity { credentials, login } = identity;
        let own = config.environment.as_deref();
        let notify = config.notify.then(NotifySocket::bind).transpose()?;
        let has_more = !login.is_empty() || notify.is_some();
        let mut environment = has_more.then(|| [own.unwrap_or_default(), login].concat());
        let announced = notify.as_ref().zip(environment.as_mut());
        let pid_variable = announced.and_then(|(socket, variables)| socket.announce(variables));
        let Opened { stdio, input, pty } = stdio::open(config, credentials.uid, relay)?;
        // Before the program: once that runs, nothing here may fail.
        let reactor = self
            .reactor(relay, notify.as_ref())
            .map_err(|error| Failure::cannot("watch descriptors", &error))?;
        let program = Program {
            path,
            argv: &config.argv,
            environment: environment.as_deref().or(own),
            pid_variable,
            stdio,
            credentials,
            attributes: &config.attributes,
            cgroups: cgroup.map(cgroup_entries).unwrap_or_default(),
            terminal: self
                .terminal
                .as_mut()
                .and_then(|terminal| terminal.lend_at_start()),
            pty: pty.as_ref().map(Pty::terminal),
            cpu_limit: self.signals.cpu_limit(),
            announcement: if sys::HAS_PARENT_DEATH_SIGNAL {
                None
            } else {
                self.notices.announcement()
            },
        };
        let spawned = spawn(&program, self.wait);
        // With it this process's copies of the program's descriptors.
        drop(program);
        if let Some(terminal) = &mut self.terminal {
            match spawned {
                Ok(started) => terminal.set_program(started.pid),
                Err(_) => terminal.take_back(),
            }
        }
        Ok(Launched {
            started: spawned?,
            input,
            pty,
            notify,
            reactor,
        })
    }

    fn reactor(&self, relay: &Relay, notify: Option<&NotifySocket>) -> io::Result<Reactor> {
        let reactor = Reactor::new()?;
        reactor.watch_read(Source::Signal, &self.signals.as_fd())?;
        reactor.watch_read(Source::Children, &self.signals.children().as_fd())?;
        if self.transport == Transport::Terminal {
            reactor.watch_end(Source::Inbox, &self.inbox)?;
        } else {
            reactor.watch_read(Source::Inbox, &self.inbox)?;
        }
        if let Some(fd) = self.outbox {
            match reactor.watch_write(Source::Outbox, &fd) {
                // A file, which takes everything and is never closed: epoll_ctl(2).
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                result => result?,
            }
        }
        if let Some(NotifySocket { socket, .. }) = notify {
            reactor.watch_read(Source::Notify, socket)?;
        }
        for (source, fd) in relay.sources() {
            reactor.watch_read(source, fd)?;
        }
        Ok(reactor)
    }
}

fn cgroup_entries(cgroup: &Cgroup) -> Vec<CgroupEntry<'_>> {
    let entries = cgroup.entries().map(|entry| CgroupEntry {
        procs: entry.procs,
        directory: entry.directory,
        may_share_memory: cgroup.may_share_memory(),
        await_thaw: Box::new(move |wait| Ok(entry.await_thaw(wait)?)),
        explain: Box::new(move |errno| entry.error(errno).into()),
    });
    entries.collect()
}

#[cfg(test)]
#[path = "cgroup_test.rs"]
mod cgroup_tests;
