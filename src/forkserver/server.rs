// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The loop of the fork server.

use super::Role;
use super::control::{self, Command, Ended, Watch, failed};
use super::counts::Counts;
use super::foreign::ForeignSessions;
use super::listener::{Connection, Listener};
use super::sessions::{Death, Sessions};
use super::startup::Started;
use crate::cgroup::WatchedHost;
use crate::error::Failure;
use crate::session::opening::{ForkServer, Invitation};
use crate::session::signals::Handlers;
use crate::sys::{self, ChildEvents};
use crate::wire::environment::Given;
use crate::wire::inbox::{Inbox, Received};
use crate::wire::message;
use crate::wire::notice::{Notice, Notices, Sockets};
use crate::wire::outbox::Outbox;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Before something that failed is tried again.
const INTERVAL: Duration = Duration::from_millis(5);

/// Connections to accept in a row before anything else is handled.
const ACCEPTS_IN_A_ROW: u32 = 64;

/// What poll(2) has reported.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)]
struct Readable {
    signals: bool,
    notices: bool,
    control: bool,
    listener: bool,
}

impl Readable {
    /// Check everything.
    const ALL: Self = Self {
        signals: true,
        notices: true,
        control: true,
        listener: true,
    };
}

/// The fork server.
#[derive(Debug)]
pub struct Server {
    inbox: Inbox,
    outbox: Outbox,
    token: Vec<u8>,
    /// `None` once the client is gone.
    listener: Option<Listener>,
    /// SIGCHLD, which is blocked.
    children: ChildEvents,
    notices: Sockets,
    /// The end that sessions have.
    notices_of_sessions: Sockets,
    /// For the sessions, once one has made a cgroup and until a mount changes.
    host: Option<WatchedHost>,
    /// For the sessions. All signals are blocked here.
    handlers: Handlers,
    environment: Option<Given>,
    sessions: Sessions,
    foreign: ForeignSessions,
    /// Received, and not handled yet.
    watches: Vec<Watch>,
    /// Watched, but gone before, or never there.
    unknown: Vec<Ended>,
    counts: Counts,
    readable: Readable,
    /// The kernel had no process, descriptor or memory left. What failed is tried again soon.
    is_short: bool,
}

impl Server {
    pub(super) fn new(started: Started) -> Self {
        Self {
            inbox: started.inbox,
            outbox: started.outbox,
            token: started.prepared.token,
            listener: Some(started.prepared.listener),
            children: started.prepared.children,
            notices: started.prepared.notices,
            notices_of_sessions: started.prepared.notices_of_sessions,
            host: None,
            handlers: started.prepared.handlers,
            environment: None,
            sessions: Sessions::default(),
            foreign: ForeignSessions::default(),
            watches: Vec::new(),
            unknown: Vec::new(),
            counts: Counts::default(),
            readable: Readable::ALL,
            is_short: false,
        }
    }

    /// Serves until the client and all sessions are gone. In a forked copy, returns with its role.
    pub fn serve(mut self) -> io::Result<Role> {
        loop {
            self.is_short = false;
            if self.readable.control {
                self.take_control();
            }
            // A WATCH may be about a connection that was not accepted yet.
            if self.readable.listener || !self.watches.is_empty() {
                if let Some(connection) = self.accept() {
                    return Ok(self.become_session(connection));
                }
            }
            if self.readable.signals || self.readable.notices {
                self.reap()?;
            }
            if let Some(role) = self.clean_up() {
                return Ok(role);
            }
            self.tell();
            if self.listener.is_none() && self.sessions.are_gone() {
                return Ok(Role::Over);
            }
            self.wait()?;
        }
    }

    // The client

    fn take_control(&mut self) {
        while !self.inbox.is_closed() {
            let command = match self.inbox.decoder.next_frame() {
                Ok(Some(frame)) => control::parse(frame),
                Ok(None) => match self.inbox.receive() {
                    Ok(Received::Framed { .. }) => continue,
                    Ok(Received::Nothing) => return self.inbox.release_buffers(),
                    _ => return self.client_left(),
                },
                Err(violation) => Err(violation.into()),
            };
            match command {
                Ok(Command::Watch(watch)) => self.watches.push(watch),
                Ok(Command::Environment(given)) => self.environment = Some(given),
                Ok(Command::Count) => {
                    let sessions = self.sessions.count();
                    self.outbox.send(&control::counts(&self.counts, sessions));
                }
                Ok(Command::Config(_)) => {
                    self.fail(&control::out_of_place());
                }
                Err(failure) => self.fail(&failure),
            }
        }
    }

    fn fail(&mut self, failure: &Failure) {
        self.outbox.send(&message::failed(failure));
        self.client_left();
    }

    /// The sessions end by themselves, since their connections were closed by the client as well.
    fn client_left(&mut self) {
        self.inbox.close();
        self.listener = None;
    }

    /// Sends what the client watches, all of it in one write, since each write wakes the client.
    fn tell(&mut self) {
        let mut ended = self.sessions.take_ended();
        ended.append(&mut self.unknown);
        self.counts.continued += self.foreign.step(|it| ended.push(*it));
        let frames: Vec<u8> = ended.iter().flat_map(control::session_ended).collect();
        if !frames.is_empty() {
            self.outbox.send(&frames);
        }
        self.outbox.flush();
    }

    // Connections

    /// Accepts connections, and forks a session for each. In the session, returns its connection.
    fn accept(&mut self) -> Option<Connection> {
        for _ in 0..ACCEPTS_IN_A_ROW {
            let accepted = match &self.listener {
                Some(listener) => listener.accept(&mut self.counts),
                None => Ok(None),
            };
            match accepted {
                Ok(Some(connection)) => match sys::fork() {
                    Ok(Some(pid)) => self.sessions.add(pid, connection.name),
                    Ok(None) => return Some(connection),
                    Err(error) => {
                        refuse(&connection, &error);
                        if connection.name.watched {
                            self.unknown.push(Ended::unknown(connection.name.number, 0));
                        }
                    }
                },
                Ok(None) => {
                    self.watch();
                    return None;
                }
                Err(_) => {
                    self.is_short = true;
                    return None;
                }
            }
        }
        None
    }

    /// Leaks what a session does not need: freeing it would write to memory that is shared with the fork server. All
    /// descriptors are closed at once.
    fn become_session(self, connection: Connection) -> Role {
        self.children.detach();
        sys::close_all_but([
            connection.stream.as_raw_fd(),
            self.notices_of_sessions.waking.as_raw_fd(),
            self.notices_of_sessions.quiet.as_raw_fd(),
        ]);
        let host = self.host.map(|WatchedHost { host, mounts }| {
            std::mem::forget(mounts);
            host
        });
        let invitation = Invitation {
            token: self.token,
            environment: self.environment,
            server: ForkServer {
                notices: Notices::to(self.notices_of_sessions),
                host,
                owner_awaits_end: !connection.name.watched,
            },
            handlers: Some(self.handlers),
            client: Some(connection.client),
        };
        let watching = (self.inbox, self.outbox, self.listener, self.children);
        std::mem::forget((watching, self.notices, self.sessions));
        std::mem::forget((self.foreign, self.watches, self.unknown));
        Role::Session(connection.stream, invitation)
    }

    fn watch(&mut self) {
        for watch in std::mem::take(&mut self.watches) {
            if self.sessions.watch(&watch) {
                continue;
            }
            let ended = Ended::unknown(watch.connection, watch.pid);
            if !self.foreign.watch(&watch, ended) {
                self.unknown.push(ended);
            }
        }
    }

    // Sessions

    fn reap(&mut self) -> io::Result<()> {
        let deaths = if self.readable.signals {
            self.collect_deaths()?
        } else {
            Vec::new()
        };
        // A session sent its notices before it died.
        while let Some(notice) = self.notices.receive() {
            if matches!(notice, Notice::Group(..)) && self.host.is_none() {
                self.host = WatchedHost::detect();
            }
            self.sessions.note(notice);
        }
        let mut has_orphans = false;
        for death in deaths {
            has_orphans |= self.sessions.is_spared(death.pid);
            if self.sessions.died(death) {
                self.counts.lost += 1;
            }
        }
        if has_orphans && !self.sessions.lost.are_sweeping() {
            self.sessions.spare_all();
        }
        Ok(())
    }

    fn collect_deaths(&mut self) -> io::Result<Vec<Death>> {
        // poll(2) tells of those that are left.
        self.children.clear();
        let mut deaths = Vec::new();
        loop {
            match sys::wait_any_change() {
                Ok(Some(changed)) => match Death::of(changed) {
                    Some(death) => deaths.push(death),
                    None => {
                        if self.sessions.stopped(changed.pid, self.listener.is_none()) {
                            self.counts.continued += 1;
                        }
                    }
                },
                Ok(None) => return Ok(deaths),
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(deaths),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Cleans up after lost sessions, as far as possible without blocking.
    fn clean_up(&mut self) -> Option<Role> {
        while let Some((index, group)) = self.sessions.lost.next_group() {
            match sys::fork() {
                Ok(Some(pid)) => self.sessions.lost.set_cleaner(index, pid),
                Ok(None) => {
                    let time = match self.listener {
                        Some(_) => super::CLEAN_TIME,
                        None => super::LAST_CLEAN_TIME,
                    };
                    return Some(Role::Cleaner(group, time));
                }
                Err(_) => {
                    self.sessions.lost.put_group_back(index, group);
                    self.is_short = true;
                    break;
                }
            }
        }
        self.counts.swept += self.sessions.sweep() as u64;
        self.sessions.settle();
        None
    }

    fn wait(&mut self) -> io::Result<()> {
        let expiry = self.sessions.expire();
        let mut timeout = expiry.map(|time| time.saturating_duration_since(Instant::now()));
        let retry = self.is_short.then_some(INTERVAL);
        let intervals = [
            retry,
            self.sessions.lost.interval(),
            self.foreign.interval(),
        ];
        for interval in intervals.into_iter().flatten() {
            timeout = Some(timeout.map_or(interval, |timeout| timeout.min(interval)));
        }
        let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
            // Rounded up, so that poll does not return before the time.
            let timeout = timeout + Duration::from_millis(1);
            PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)
        });
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let nothing = || PollFd::new(self.children.as_fd(), PollFlags::empty());
        let listener = self.listener.as_ref().filter(|_| !self.is_short);
        let control = (!self.inbox.is_closed()).then(|| self.inbox.fd());
        let mounts = self.host.as_ref();
        let mut fds = vec![
            readable(self.children.as_fd()),
            readable(self.notices.waking.as_fd()),
            control.map_or_else(nothing, readable),
            listener.map_or_else(nothing, |listener| readable(listener.as_fd())),
            mounts.map_or_else(nothing, |it| PollFd::new(it.as_fd(), PollFlags::POLLPRI)),
        ];
        if let Some(fd) = self.outbox.fd().filter(|_| !self.outbox.is_empty()) {
            fds.push(PollFd::new(fd, PollFlags::POLLOUT));
        }
        fds.extend(self.foreign.fds().map(readable));
        match poll(&mut fds, timeout) {
            Ok(_) => {
                let is_readable = |index: usize| fds[index].any().unwrap_or(true);
                self.readable = Readable {
                    signals: is_readable(0),
                    notices: is_readable(1),
                    control: is_readable(2),
                    listener: is_readable(3) || self.is_short,
                };
                if is_readable(4) {
                    self.host = None;
                }
                Ok(())
            }
            Err(Errno::EINTR) => {
                self.readable = Readable::ALL;
                Ok(())
            }
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Tells the client why there is no session, as far as that fits into the empty socket.
fn refuse(connection: &Connection, error: &io::Error) {
    let mut failure = failed("fork a session", error);
    if error.raw_os_error() == Some(libc::EAGAIN) {
        failure = failure.advice(
            "there are too many processes: see the limit of the user (RLIMIT_NPROC) and pids.max of the cgroup",
        );
    }
    let mut stream = &connection.stream;
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(&message::failed(&failure));
}
