// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The loop of the fork server.

use super::control::{self, Command, Config, Ended, Watch, failed};
use super::counts::Counts;
use super::foreign::{ForeignSessions, continue_predecessor};
use super::listener::{Connection, Listener, Peer};
use super::sessions::{Death, Sessions};
use super::{CONTROL, Role};
use crate::error::Failure;
use crate::session::opening::Invitation;
use crate::sys::{self, SignalMask};
use crate::wire::environment::Given;
use crate::wire::frame::{Decoder, MAX_START};
use crate::wire::inbox::{Inbox, Received};
use crate::wire::message;
use crate::wire::notice::{self, Notices};
use crate::wire::outbox::Outbox;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// Between two steps of a sweep that no death ends, and before what failed is tried again.
const INTERVAL: Duration = Duration::from_millis(5);

/// Connections to accept in a row, before looking at anything else.
const ACCEPTS_IN_A_ROW: u32 = 64;

/// What tells this process of its children.
#[derive(Debug)]
struct Ears {
    /// SIGCHLD, which is blocked.
    signals: SignalFd,
    notices: UnixDatagram,
}

/// What poll(2) has found.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)]
struct Readable {
    signals: bool,
    notices: bool,
    control: bool,
    listener: bool,
}

impl Readable {
    /// To look at everything.
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
    /// Until the client is gone.
    listener: Option<Listener>,
    ears: Ears,
    /// The end of the notices that sessions have.
    notices: UnixDatagram,
    environment: Option<Given>,
    sessions: Sessions,
    foreign: ForeignSessions,
    /// Asked for, and not looked at yet.
    watches: Vec<Watch>,
    counts: Counts,
    readable: Readable,
    /// Something could not be had. It is tried again soon.
    is_short: bool,
}

impl Server {
    /// Waits for CONFIG, and says READY. `None`: the client went away, or was told why not.
    pub fn start() -> Result<Option<Self>, Failure> {
        sys::cloexec_from_3();
        let mut inbox = Inbox::open(CONTROL)?;
        let mut outbox = Outbox::open(CONTROL)?;
        inbox.decoder = Decoder::limited(MAX_START);
        let started = match first(&mut inbox, &mut outbox) {
            Ok(Some(config)) => prepare(&config).map(|prepared| (config, prepared)),
            Ok(None) => return Ok(None),
            Err(failure) => Err(failure),
        };
        match started {
            Ok((config, (listener, ears, notices))) => {
                outbox.send(&control::ready(&listener.address()));
                Ok(Some(Self {
                    inbox,
                    outbox,
                    token: config.token,
                    listener: Some(listener),
                    ears,
                    notices,
                    environment: None,
                    sessions: Sessions::default(),
                    foreign: ForeignSessions::default(),
                    watches: Vec::new(),
                    counts: Counts::default(),
                    readable: Readable::ALL,
                    is_short: false,
                }))
            }
            Err(failure) => {
                outbox.send(&message::failed(&failure));
                while inbox.wait(&mut outbox, None) && inbox.receive().is_ok() {}
                Ok(None)
            }
        }
    }

    /// Serves until there is nothing to do any more, or until this is a copy with another role.
    pub fn serve(mut self) -> io::Result<Role> {
        loop {
            self.is_short = false;
            if self.readable.control {
                self.take_control();
            }
            // All who connected before the client sent WATCH are to be known then.
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
                    Ok(Received::Framed) => continue,
                    Ok(Received::Nothing) => return,
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

    /// Its connections are closed as well, so that its sessions come to their ends by themselves.
    fn client_left(&mut self) {
        self.inbox.close();
        self.listener = None;
    }

    /// Tells the client what it asked for.
    fn tell(&mut self) {
        for ended in self.sessions.take_ended() {
            self.outbox.send(&control::session_ended(&ended));
        }
        let outbox = &mut self.outbox;
        let report = |ended: &Ended| outbox.send(&control::session_ended(ended));
        self.counts.continued += self.foreign.step(report);
        self.outbox.flush();
    }

    // Connections

    /// Accepts connections. The copy of this process that is to be the session of one returns it.
    fn accept(&mut self) -> Option<Connection> {
        for _ in 0..ACCEPTS_IN_A_ROW {
            let accepted = match &self.listener {
                Some(listener) => listener.accept(&mut self.counts),
                None => Ok(None),
            };
            match accepted {
                Ok(Some(connection)) => match sys::fork() {
                    Ok(Some(pid)) => self.sessions.add(pid, connection.number),
                    Ok(None) => return Some(connection),
                    Err(error) => refuse(&connection, &error),
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

    /// Leaks what a session does not need: memory is shared with the fork server until it is changed, as freeing it
    /// would. The descriptors are closed all together.
    fn become_session(self, connection: Connection) -> Role {
        let kept = [connection.stream.as_raw_fd(), self.notices.as_raw_fd()];
        sys::close_all_but(kept);
        let invitation = Invitation {
            token: self.token,
            environment: self.environment,
            notices: Notices::to(self.notices),
        };
        let watching = (self.inbox, self.outbox, self.listener, self.ears);
        std::mem::forget((watching, self.sessions, self.foreign, self.watches));
        Role::Session(connection.stream, invitation)
    }

    fn watch(&mut self) {
        for watch in std::mem::take(&mut self.watches) {
            if self.sessions.watch(&watch) {
                continue;
            }
            let ended = Ended {
                connection: watch.connection,
                pid: watch.pid,
                how: 2,
                code: 0,
                swept: 0,
                survivors: 0,
            };
            if !self.foreign.watch(&watch, ended) {
                self.outbox.send(&control::session_ended(&ended));
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
        // What the dead have said, they said before.
        while let Some(notice) = notice::receive(&self.ears.notices) {
            self.sessions.note(notice);
        }
        let mut has_orphans = false;
        for death in deaths {
            has_orphans |= self.sessions.is_spared(death.pid);
            if self.sessions.died(death) {
                self.counts.lost += 1;
            }
        }
        if has_orphans && !self.sessions.are_sweeping() {
            self.sessions.spare_all();
        }
        Ok(())
    }

    fn collect_deaths(&mut self) -> io::Result<Vec<Death>> {
        while let Ok(Some(_)) = self.ears.signals.read_signal() {}
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

    /// Goes on with what lost sessions left, as far as possible without waiting.
    fn clean_up(&mut self) -> Option<Role> {
        while let Some((index, group)) = self.sessions.next_group() {
            match sys::fork() {
                Ok(Some(pid)) => self.sessions.set_cleaner(index, pid),
                Ok(None) => {
                    let time = match self.listener {
                        Some(_) => super::CLEAN_TIME,
                        None => super::LAST_CLEAN_TIME,
                    };
                    return Some(Role::Cleaner(group, time));
                }
                Err(_) => {
                    self.sessions.put_group_back(index, group);
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
        let retry = (self.is_short || self.sessions.are_sweeping()).then_some(INTERVAL);
        for interval in [retry, self.foreign.interval()].into_iter().flatten() {
            timeout = Some(timeout.map_or(interval, |timeout| timeout.min(interval)));
        }
        let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
            // Rounded up, so as not to wake too early and do nothing.
            let timeout = timeout + Duration::from_millis(1);
            PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)
        });
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let nothing = || PollFd::new(self.ears.signals.as_fd(), PollFlags::empty());
        let listener = self.listener.as_ref().filter(|_| !self.is_short);
        let control = (!self.inbox.is_closed()).then(|| self.inbox.fd());
        let mut fds = vec![
            readable(self.ears.signals.as_fd()),
            readable(self.ears.notices.as_fd()),
            control.map_or_else(nothing, readable),
            listener.map_or_else(nothing, |listener| readable(listener.as_fd())),
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
                Ok(())
            }
            Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Waits for CONFIG, which comes first.
fn first(inbox: &mut Inbox, outbox: &mut Outbox) -> Result<Option<Config>, Failure> {
    loop {
        match inbox.decoder.next_frame() {
            Ok(Some(frame)) => match control::parse(frame)? {
                Command::Config(config) => return Ok(Some(config)),
                _ => return Err(control::out_of_place()),
            },
            Ok(None) => {}
            Err(violation) => return Err(violation.into()),
        }
        let may_go_on = match inbox.receive() {
            Ok(Received::Nothing) => inbox.wait(outbox, None),
            Ok(Received::Framed) => true,
            _ => false,
        };
        if !may_go_on {
            return Ok(None);
        }
    }
}

fn prepare(config: &Config) -> Result<(Listener, Ears, UnixDatagram), Failure> {
    if let Some(pid) = config.predecessor {
        continue_predecessor(pid);
    }
    // So as not to hold on to a file system that somebody wants to unmount.
    let _ = std::env::set_current_dir("/");
    sys::become_subreaper().map_err(|error| failed("become a subreaper", &error))?;
    let listener = Listener::bind(Peer {
        pid: config.client,
        uid: nix::unistd::geteuid().as_raw(),
    });
    let listener = listener.map_err(|error| failed("make a socket", &error))?;
    let ears = ears().map_err(|error| failed("watch its sessions", &error))?;
    Ok((listener, ears.0, ears.1))
}

fn ears() -> io::Result<(Ears, UnixDatagram)> {
    sys::reset_sigchld();
    SignalMask::all_but([]).set()?;
    let child = SigSet::from(Signal::SIGCHLD);
    let signals = SignalFd::with_flags(&child, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let (reader, writer) = UnixDatagram::pair()?;
    reader.set_nonblocking(true)?;
    let notices = reader;
    Ok((Ears { signals, notices }, writer))
}

/// Tells the client why there is no session. What does not fit into an empty socket is lost.
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
