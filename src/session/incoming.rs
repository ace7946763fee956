// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frames from the owner, and its end.

use super::ack_wait::AckWait;
use super::notify_socket::NotifySocket;
use super::opening;
use super::states::{Session, State};
use crate::diagnostics;
use crate::reactor::Source;
use crate::session::emergency;
use crate::stream::stdin::Input;
use crate::stream::window::Overrun;
use crate::sys;
use crate::wire::inbox::Received;
use crate::wire::message::{self, Command, INPUT_WINDOW};
use crate::wire::transport::Transport;
use crate::wire::violation::Violation;
use std::io;
use std::time::{Duration, Instant};

/// How often to read before looking at output and deadlines again: an owner may send frames without a pause.
const READS_IN_A_ROW: u32 = 16;

/// How often to look for an acknowledgement before sleeping. Each time takes two system calls, about a
/// microsecond together.
const SPINS_FOR_ACK: u32 = 50;

/// How many unframed bytes to keep for a program that does not read them.
const PLAIN_INPUT_LIMIT: usize = 64 * 1024;

impl Session<'_> {
    /// Whether to read from the owner. Bytes of a shell wait until the program has read those before them, and from
    /// a terminal the program reads itself.
    pub(super) fn wants_commands(&self) -> bool {
        !self.inbox.is_closed()
            && match self.transport {
                Transport::Terminal => false,
                Transport::Plain => self.input.pending() < PLAIN_INPUT_LIMIT,
                Transport::Raw | Transport::Framed { .. } => true,
            }
    }

    pub(super) fn receive(&mut self) -> io::Result<()> {
        if self.reactor.ready.is(Source::Outbox) {
            self.reactor.ready.clear(Source::Outbox);
            self.note_reading();
        }
        for _ in 0..READS_IN_A_ROW {
            if !self.reactor.ready.is(Source::Inbox) || !self.wants_commands() {
                break;
            }
            self.receive_once()?;
        }
        // The end of a pipe is reported before the bytes in front of it were read.
        let hung_up = self.reactor.ready.is_closed(Source::Inbox);
        if hung_up && !self.inbox.is_closed() && !self.wants_commands() {
            self.owner_disconnected()?;
        }
        Ok(())
    }

    /// Reads once, and handles what came. `false` when nothing did.
    fn receive_once(&mut self) -> io::Result<bool> {
        match self.inbox.receive()? {
            Received::Bytes(bytes) if self.transport == Transport::Raw => {
                self.relay.acked_at_most(raw_acknowledged(bytes));
                self.last_ack = Instant::now();
            }
            Received::Bytes(bytes) => self.input.push(bytes),
            Received::Framed { drained } => {
                // An end that has been reported is no event again, so it has to be read.
                if drained && !self.reactor.ready.is_closed(Source::Inbox) {
                    self.reactor.ready.clear(Source::Inbox);
                }
                self.handle_frames()?;
            }
            Received::Nothing => {
                self.reactor.ready.clear(Source::Inbox);
                return Ok(false);
            }
            Received::Closed => self.owner_disconnected()?,
        }
        Ok(true)
    }

    /// Spins until the owner has acknowledged output, for some microseconds, and returns whether it has.
    ///
    /// To sleep for so short a time, and to be woken, costs both sides more than to look again, above all in a
    /// virtual machine. Other processes go first. After an owner that took longer, this is not done again until
    /// it has acknowledged or sent something. If the session cannot leave the owner's processor, it is hardly ever done: [`AckWait`].
    pub(super) fn spin_for_ack(&mut self) -> io::Result<bool> {
        if !self.inbox.begin_spinning() || self.ack_wait.sleeps() {
            return Ok(false);
        }
        let mut others = Duration::ZERO;
        for _ in 0..SPINS_FOR_ACK {
            if self.look_for_ack()? {
                self.ack_wait.came_after(others, sys::change_processor);
                self.relay.owner_is_quick(true);
                if self.ack_wait.looks_for_events(others) {
                    self.reactor.wait(Some(Duration::ZERO))?;
                }
                return Ok(true);
            }
            others = AckWait::let_others_run();
        }
        self.relay.owner_is_quick(false);
        Ok(false)
    }

    /// Looks whether the owner has acknowledged output. Unless it does so by reading, any frame counts.
    fn look_for_ack(&mut self) -> io::Result<bool> {
        if self.relay.is_acked_by_reading() {
            Ok(self.note_reading())
        } else {
            self.receive_once()
        }
    }

    /// Notes what the owner has read. Returns whether that acknowledges any output.
    pub(super) fn note_reading(&mut self) -> bool {
        let came = self.relay.note_reading(&self.outbox);
        if came {
            self.inbox.acknowledged();
        }
        came
    }

    pub(super) fn owner_disconnected(&mut self) -> io::Result<()> {
        self.inbox.close();
        if self.is_acknowledged() {
            self.outbox.close();
            self.relay.discard();
        }
        self.stop()
    }

    /// Handles the whole frames that came. STOP is handled after the others.
    pub(super) fn handle_frames(&mut self) -> io::Result<()> {
        let mut wants_stop = false;
        loop {
            match self.handle_frame(&mut wants_stop) {
                Ok(true) => {}
                Ok(false) => break,
                Err(violation) => {
                    diagnostics::say(format_args!(
                        "protocol error: the owner sent {violation}; stopping the program"
                    ));
                    self.violated = true;
                    return self.owner_disconnected();
                }
            }
        }
        if wants_stop { self.stop() } else { Ok(()) }
    }

    /// Handles the next frame. `false` when no whole one has come.
    fn handle_frame(&mut self, wants_stop: &mut bool) -> Result<bool, Violation> {
        let Some(frame) = self.inbox.decoder.next_frame()? else {
            return Ok(false);
        };
        let command = Command::parse(frame)?;
        emergency::inject_panic("running");
        match command {
            Command::Ack(bytes) => self.relay.acked(bytes).map_err(ack_overrun)?,
            Command::AckByReading => {
                // Nothing follows EXITED.
                let is_over = matches!(self.state, State::Done | State::Dismissed);
                if self.inbox.is_socket() && self.outbox.sees_reading() && !is_over {
                    self.relay.ack_by_reading();
                    self.outbox.send(&message::acked_by_reading());
                }
            }
            Command::Signal(number) => {
                // A program that is dead and not reaped yet ignores it.
                if self.death.is_none() {
                    let _ = sys::kill(self.pid, number.into());
                }
            }
            Command::Stop => *wants_stop = true,
            Command::Input(bytes) => take_input(&mut self.input, bytes)?,
            Command::InputEof => self.input.end(),
            Command::Discard => {
                self.relay.discard();
                self.notify.as_mut().map(NotifySocket::discard);
            }
            Command::NotifyAck if self.notify.as_mut().is_some_and(NotifySocket::acknowledged) => {}
            Command::Resize { rows, cols } => match &self.pty {
                Some(pty) => pty.resize(rows, cols),
                None => return Err(Violation::Unexpected(frame.tag)),
            },
            Command::Cgroup(command) => {
                let own = self.config.cgroup.as_ref();
                let own = own.map(|request| request.group.as_str());
                let reply = opening::reply(command, own);
                self.outbox.send(&reply);
            }
            Command::NotifyAck
            | Command::Hello(_)
            | Command::Start(_)
            | Command::KillLeftovers { .. }
            | Command::Usage { .. } => {
                return Err(Violation::Unexpected(frame.tag));
            }
        }
        Ok(true)
    }
}

fn ack_overrun(Overrun { acked, in_flight }: Overrun) -> Violation {
    Violation::AckOverrun { acked, in_flight }
}

/// How many bytes of output an owner acknowledges that speaks as to MuonTrap 1.x: for each byte one more than its
/// value.
fn raw_acknowledged(bytes: &[u8]) -> u32 {
    bytes.iter().map(|&byte| u32::from(byte) + 1).sum()
}

fn take_input(input: &mut Input, bytes: &[u8]) -> Result<(), Violation> {
    if input.has_ended() {
        return Err(Violation::InputAfterEof);
    }
    if input.pending() + bytes.len() > INPUT_WINDOW {
        return Err(Violation::InputOverrun(INPUT_WINDOW));
    }
    input.push(bytes);
    Ok(())
}
