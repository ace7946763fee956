// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The states of a session whose program runs: see the picture in `mod.rs`.

use super::ack_wait::AckWait;
use super::containment::Containment;
use super::conversation::Conversation;
use super::emergency;
use super::notify_socket::NotifySocket;
use super::owner::Owner;
use super::pty::Pty;
use super::setup::Running;
use super::signals::Signals;
use super::terminal::Terminal;
use crate::config::{Config, StopStep};
use crate::diagnostics;
use crate::error::EXIT_SETUP;
use crate::process::reap::{BATCH, Death, Ending, Pace, reap};
use crate::process::sweep::Progress;
use crate::reactor::{Reactor, Source};
use crate::stream::output::{ReadUntil, Relay};
use crate::stream::stdin::{Handled, Input};
use crate::sys;
use crate::wire::inbox::Inbox;
use crate::wire::message::{self, Started};
use crate::wire::notice::Notices;
use crate::wire::outbox::Outbox;
use crate::wire::transport::Transport;
use std::io;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

/// There is no event for when a cgroup can be removed, so poll.
const REMOVAL_INTERVAL: Duration = Duration::from_millis(5);
/// SIGKILL ends a program at once, unless it is in an uninterruptible wait: how often to check for that.
const KILL_INTERVAL: Duration = Duration::from_millis(100);

/// How often to look what the owner has read, in case reading causes no event: gVisor has none until much of the socket's
/// buffer was in use.
const READING_INTERVAL: Duration = Duration::from_millis(100);

/// How long to wait for an owner without frames to acknowledge the last output. If muontrap exited before, that
/// owner would get EPIPE instead of the exit status.
const LAST_ACK_TIMEOUT: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// The next signal is sent at the deadline. `None` when SIGKILL has been.
    Stopping {
        deadline: Option<Instant>,
    },
    Sweeping,
    Draining,
    Removing,
    /// EXITED is sent. Waits for the owner to close the stream.
    Done,
    /// Done, and told to stop by a signal: does not wait for the owner.
    Dismissed,
}

/// Supervises a program that runs, and returns the exit status of muontrap. On an error, too, nothing is left.
pub(super) fn run(
    config: &Config,
    owner: Owner,
    notices: &Notices,
    running: Running,
) -> io::Result<u8> {
    // Nothing is freed or closed in the end: the process is about to exit.
    let mut session = ManuallyDrop::new(Session::new(config, owner, notices, running));
    let result = session.run();
    if result.is_err() {
        ManuallyDrop::into_inner(session).abort();
    }
    result
}

pub(super) struct Session<'a> {
    pub(super) config: &'a Config,
    pub(super) notices: &'a Notices,
    pub(super) transport: Transport,
    pub(super) state: State,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) reactor: Reactor,
    pub(super) signals: Signals,
    pub(super) input: Input,
    pub(super) relay: Relay,
    conversation: Conversation,
    pub(super) ack_wait: AckWait,
    pub(super) pty: Option<Pty>,
    pub(super) notify: Option<NotifySocket>,
    pub(super) pid: i32,
    start_time: u64,
    since: Instant,
    pub(super) containment: Containment,
    /// With the time from the exec.
    pub(super) death: Option<(Death, Duration)>,
    pace: Pace,
    pub(super) stopped: bool,
    /// What a stop still has to do before SIGKILL.
    pub(super) stop_steps: std::vec::IntoIter<StopStep>,
    pub(super) needed_sigkill: bool,
    /// Whether the owner violated the protocol.
    pub(super) violated: bool,
    pub(super) terminal: Option<Terminal>,
    /// How a key of the terminal ended the program.
    pub(super) interrupted_by: Option<Ending>,
    /// When an owner without frames last acknowledged output, or could have begun to.
    pub(super) last_ack: Instant,
}

impl<'a> Session<'a> {
    fn new(config: &'a Config, owner: Owner, notices: &'a Notices, running: Running) -> Self {
        Self {
            config,
            notices,
            transport: owner.transport,
            state: State::Running,
            inbox: owner.inbox,
            outbox: owner.outbox,
            reactor: running.reactor,
            signals: owner.signals,
            input: running.input,
            relay: running.relay,
            conversation: Conversation::default(),
            ack_wait: AckWait::default(),
            pty: running.pty,
            notify: running.notify,
            pid: running.pid,
            start_time: running.start_time,
            since: running.since,
            containment: Containment::new(running.cgroup, running.sweep),
            death: None,
            pace: Pace::new(notices.are_read()),
            stopped: false,
            stop_steps: config.stop_steps().into_iter(),
            needed_sigkill: false,
            violated: false,
            terminal: owner.terminal,
            interrupted_by: None,
            last_ack: running.since,
        }
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        self.transport.is_acknowledged()
    }

    fn run(&mut self) -> io::Result<u8> {
        let directories = self.containment.directories();
        let started = Started {
            session: nix::unistd::getpid().as_raw(),
            program: self.pid,
            start_time: self.start_time,
            directories: &directories,
        };
        self.outbox.send(&message::started(&started));
        // What arrived before epoll watched it produces no edge, so read once.
        self.reactor.ready.set(Source::Inbox);
        // Frames that came while the program was started.
        self.handle_frames()?;
        sys::release_stack();
        self.let_program_begin()?;
        loop {
            self.handle_signals()?;
            self.note_forks();
            self.receive()?;
            self.move_input();
            self.move_notifications()?;
            self.outbox.flush();
            if self.gather() {
                continue;
            }
            self.move_output()?;
            // An owner that no longer reads is noticed at once, not only at the next write.
            if self.reactor.ready.is_closed(Source::Outbox) {
                self.outbox.close();
            }
            if self.is_acknowledged() && self.outbox.is_closed() && !self.inbox.is_closed() {
                self.owner_disconnected()?;
            }
            self.advance()?;
            self.outbox.uncork();
            if self.is_over() {
                return Ok(self.exit_status());
            }
            self.watch_for_room()?;
            let timeout = self.timeout();
            let sleeps = timeout != Some(Duration::ZERO);
            if sleeps && self.relay.awaits_ack(&self.reactor.ready) && self.spin_for_ack()? {
                continue;
            }
            if sleeps && self.conversation.poll(&mut self.reactor)? {
                continue;
            }
            // What was read in the meantime is no event yet if the socket was not watched.
            let has_read = sleeps && self.note_reading();
            if sleeps && !has_read {
                self.relay.release_buffers();
            }
            let timeout = if has_read {
                Some(Duration::ZERO)
            } else {
                timeout
            };
            self.reactor.wait(timeout)?;
        }
    }

    /// Lets the program run before STARTED is sent, if both share a processor. A short one writes its output and exits
    /// meanwhile, and the owner is woken once for all of that.
    fn let_program_begin(&mut self) -> io::Result<()> {
        if self.outbox.is_corked() {
            std::thread::yield_now();
            self.reactor.wait(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    // Deadlines and readiness

    fn timeout(&self) -> Option<Duration> {
        let output = self.relay.can_progress(&self.reactor.ready, &self.outbox);
        if output
            || self.reactor.ready.is(Source::Children)
            || self.relay.is_acked_by_reading() && self.reactor.ready.is(Source::Outbox)
            || self.wants_notifications()
            || self.reactor.ready.is(Source::Inbox) && self.wants_commands()
        {
            return Some(Duration::ZERO);
        }
        let reading = self.awaits_reading().then_some(READING_INTERVAL);
        let state = self.state_timeout();
        [reading, state].into_iter().flatten().min()
    }

    fn state_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Stopping {
                deadline: Some(deadline),
            } => Some(self.until_next_step(deadline)),
            State::Stopping { deadline: None } => Some(KILL_INTERVAL),
            State::Sweeping => Some(self.containment.pause()),
            State::Removing => Some(REMOVAL_INTERVAL),
            State::Done if self.transport == Transport::Raw => self.ack_time(),
            _ => None,
        }
    }

    fn awaits_reading(&self) -> bool {
        self.relay.is_acked_by_reading() && self.relay.awaits_ack(&self.reactor.ready)
    }

    fn watch_for_room(&mut self) -> io::Result<()> {
        if let Some(fd) = self.input.wants_watch() {
            self.reactor.watch_write(Source::Stdin, fd)?;
        }
        // A socket has room again each time that the owner reads. That is an event to wait for only when
        // something is left to write, or when reading acknowledges output that is waited for.
        let waits = !self.outbox.is_empty() || self.awaits_reading();
        let waits = waits && self.inbox.is_socket();
        if let Some(fd) = waits.then(|| self.outbox.begin_watch()).flatten() {
            self.reactor.watch_write(Source::Outbox, &fd)?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let disconnected = self.inbox.is_closed() || self.outbox.is_closed();
        match (self.state, self.transport) {
            (State::Dismissed, _) => self.outbox.is_empty() || disconnected,
            (State::Done, Transport::Plain | Transport::Terminal) => true,
            (State::Done, Transport::Framed { .. }) => disconnected,
            (State::Done, Transport::Raw) => {
                disconnected || self.outbox.is_empty() && self.ack_time().is_none()
            }
            _ => false,
        }
    }

    /// How much longer to wait for acknowledgements when nothing else is left to do.
    fn ack_time(&self) -> Option<Duration> {
        let time = LAST_ACK_TIMEOUT.checked_sub(self.last_ack.elapsed());
        time.filter(|time| self.relay.is_in_flight() && !time.is_zero())
    }

    fn exit_status(&self) -> u8 {
        match &self.death {
            Some((death, _)) if !self.violated => death.ending.exit_status(),
            _ => EXIT_SETUP,
        }
    }

    // Events

    fn handle_signals(&mut self) -> io::Result<()> {
        if self.reactor.ready.is(Source::Signal) {
            self.reactor.ready.clear(Source::Signal);
            self.signals.drain();
        }
        if self.signals.take_stop() || self.signals.take_cpu_time() {
            if self.state == State::Done {
                self.state = State::Dismissed;
            }
            self.stop()?;
        }
        self.pace.settle();
        let child_changed = self.reactor.ready.is(Source::Children);
        if child_changed {
            self.reactor.ready.clear(Source::Children);
            // Before the children, so that one that dies in between is noticed twice instead of never.
            if self.signals.children().clear() {
                self.reactor.ready.set(Source::Children);
            }
            self.reap_dead()?;
        }
        self.control_job(child_changed)
    }

    /// Finds processes that the program has started, while their parents live.
    fn note_forks(&mut self) {
        if self.reactor.ready.is(Source::Forks) {
            self.reactor.ready.clear(Source::Forks);
            let found = self.containment.find_forked();
            let _ = self.notices.started(&found);
        }
    }

    pub(super) fn reap_dead(&mut self) -> io::Result<()> {
        self.reap_up_to(BATCH)
    }

    pub(super) fn reap_up_to(&mut self, limit: usize) -> io::Result<()> {
        let containment = &mut self.containment;
        let reaped = reap(self.pid, limit, |pid| containment.note_reaped(pid))?;
        self.pace.note(&reaped);
        if reaped.has_more {
            self.reactor.ready.set(Source::Children);
        }
        let Some(death) = reaped.death else {
            return Ok(());
        };
        // Only the first: later, another descendant may get the same pid.
        if self.death.is_none() {
            self.death = Some((death, self.since.elapsed()));
            emergency::record_death();
            let handled = self.input.close();
            self.acknowledge_input(handled);
        }
        Ok(())
    }

    // Input and output

    fn move_input(&mut self) {
        self.reactor.ready.clear(Source::Stdin);
        let handled = self.input.pump();
        if handled.written > 0 {
            self.relay.input_written();
            if self.input.pending() == 0 && !self.input.has_ended() {
                self.conversation.input_written(handled.written);
            }
        }
        self.acknowledge_input(handled);
    }

    /// Tells the owner what became of input. Nothing follows EXITED, though.
    fn acknowledge_input(&mut self, handled: Handled) {
        if handled != Handled::default() && !matches!(self.state, State::Done | State::Dismissed) {
            // The input window is smaller.
            let [written, dropped] = [handled.written, handled.dropped]
                .map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
            self.outbox.send(&message::input_ack(written, dropped));
        }
    }

    /// Lets output gather, and returns whether time has passed in which something may have happened.
    fn gather(&self) -> bool {
        let time = match self.state {
            State::Running => self.relay.gather_time(&self.reactor.ready),
            _ => None,
        };
        time.inspect(|&time| sys::pause(time)).is_some()
    }

    fn move_output(&mut self) -> io::Result<()> {
        let until = if self.state == State::Draining {
            ReadUntil::WouldBlock
        } else {
            ReadUntil::ShortRead
        };
        let has_sent = self
            .relay
            .pump(&mut self.reactor.ready, &mut self.outbox, until)?;
        if has_sent {
            self.conversation.output_sent();
        }
        Ok(())
    }

    // The states

    /// Goes through the states as far as possible without waiting.
    fn advance(&mut self) -> io::Result<()> {
        self.advance_stop()?;
        if self.death.is_none() && self.state == (State::Stopping { deadline: None }) {
            self.abandon_frozen();
        }
        if self.death.is_some() && (self.state == State::Running || self.has_stopped()) {
            self.begin_sweep()?;
        }
        if self.state == State::Sweeping && self.containment.sweep() == Progress::Gone {
            self.begin_drain()?;
        }
        if self.state == State::Draining {
            self.move_output()?;
            if self.relay.is_drained(&self.reactor.ready) {
                self.state = State::Removing;
                emergency::inject_panic("removing");
            }
        }
        if self.state == State::Removing && self.containment.remove() == Progress::Gone {
            self.finish();
        }
        warn(&mut self.containment);
        Ok(())
    }
}

pub(super) fn warn(containment: &mut Containment) {
    for warning in containment.warnings.drain(..) {
        diagnostics::say(warning);
    }
}
