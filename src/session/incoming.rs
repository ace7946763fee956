// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the owner says, and that it went away.

use super::{Session, opening};
use crate::diagnostics;
use crate::reactor::Source;
use crate::session::emergency;
use crate::stream::stdin::Input;
use crate::sys;
use crate::wire::control::Received;
use crate::wire::frame::{Command, INPUT_WINDOW, Violation};
use crate::wire::transport::Transport;
use std::io;
use std::time::Instant;

/// Reads of commands before looking at output and deadlines again: an owner may talk for ever.
const READS_IN_A_ROW: u32 = 16;

/// Looks for an acknowledgement before sleeping until one comes. Each is two system calls, about a
/// microsecond together.
const LOOKS_FOR_ACK: u32 = 50;

/// Unframed bytes to hold for a program that does not read them.
const PLAIN_INPUT_LIMIT: usize = 64 * 1024;

impl Session<'_> {
    /// Without an owner there is nothing but bytes for the program, and those wait until it reads. From a
    /// terminal it reads itself.
    pub(super) fn reads_commands(&self) -> bool {
        !self.control.is_closed()
            && match self.config.transport {
                Transport::Terminal => false,
                Transport::Plain => self.input.pending() < PLAIN_INPUT_LIMIT,
                Transport::Raw | Transport::Framed { .. } => true,
            }
    }

    pub(super) fn take_commands(&mut self) -> io::Result<()> {
        for _ in 0..READS_IN_A_ROW {
            if !self.reactor.ready.is(Source::ControlIn) || !self.reads_commands() {
                break;
            }
            if !self.take_command()? {
                self.reactor.ready.clear(Source::ControlIn);
            }
        }
        // The end of a pipe shows before the bytes in front of it were read.
        let hung_up = self.reactor.ready.is_closed(Source::ControlIn);
        if hung_up && !self.control.is_closed() && !self.reads_commands() {
            self.owner_left()?;
        }
        Ok(())
    }

    /// Reads commands once and obeys them; `false` when there is nothing to be read for now.
    fn take_command(&mut self) -> io::Result<bool> {
        match self.control.receive()? {
            Received::Bytes(bytes) if self.config.transport == Transport::Raw => {
                self.relay.acked_at_most(raw_acknowledged(bytes));
                self.last_ack = Instant::now();
            }
            Received::Bytes(bytes) => self.input.push(bytes),
            Received::Framed => self.obey()?,
            Received::Nothing => return Ok(false),
            Received::Closed => self.owner_left()?,
        }
        Ok(true)
    }

    /// Whether the owner acknowledges output within a few microseconds.
    ///
    /// To sleep for so short a time, and to be woken by the owner, costs both sides more than to
    /// look again a few times, above all in a virtual machine. Others who want to run go first. An
    /// owner that takes longer is not waited for in this way until it has sent something.
    pub(super) fn ack_comes_soon(&mut self) -> io::Result<bool> {
        if !self.control.begin_looking() {
            return Ok(false);
        }
        for _ in 0..LOOKS_FOR_ACK {
            if self.take_command()? {
                return Ok(true);
            }
            std::thread::yield_now();
        }
        Ok(false)
    }

    pub(super) fn owner_left(&mut self) -> io::Result<()> {
        self.control.close();
        if self.is_acknowledged() {
            self.outbox.close();
            self.relay.discard();
        }
        self.stop()
    }

    pub(super) fn obey(&mut self) -> io::Result<()> {
        let mut wants_stop = false;
        loop {
            let result = match self.control.decoder.next_command() {
                Ok(None) => break,
                Ok(Some(command)) => {
                    emergency::rehearse("running");
                    match command {
                        Command::Ack(bytes) => {
                            self.relay.acked(bytes).map_err(Violation::AckOverrun)
                        }
                        Command::Signal(number) => {
                            // A program that is dead but not yet collected takes it in silence.
                            if self.death.is_none() {
                                let _ = sys::kill(self.pid, number.into());
                            }
                            Ok(())
                        }
                        Command::Stop => {
                            wants_stop = true;
                            Ok(())
                        }
                        Command::Input(bytes) => take_input(&mut self.input, bytes),
                        Command::InputEof => {
                            self.input.end();
                            Ok(())
                        }
                        Command::Discard => {
                            self.relay.discard();
                            Ok(())
                        }
                        Command::Cgroup {
                            action,
                            request,
                            fields,
                        } => {
                            let own = self.config.cgroup.as_ref();
                            let own = own.map(|request| request.group.as_str());
                            let reply = opening::reply(action, request, fields, own);
                            self.outbox.send(&reply);
                            Ok(())
                        }
                        Command::Hello { .. } | Command::Start(_) => Err(command.out_of_place()),
                    }
                }
                Err(violation) => Err(violation),
            };
            if let Err(violation) = result {
                diagnostics::say(format_args!(
                    "protocol error: the owner sent {violation}; stopping the program"
                ));
                self.violated = true;
                return self.owner_left();
            }
        }
        if wants_stop { self.stop() } else { Ok(()) }
    }
}

/// What bytes from an owner that speaks as to MuonTrap 1.x acknowledge: each of them one more than its value.
fn raw_acknowledged(bytes: &[u8]) -> u32 {
    bytes.iter().map(|&byte| u32::from(byte) + 1).sum()
}

fn take_input(input: &mut Input, bytes: &[u8]) -> Result<(), Violation> {
    if input.has_ended() {
        return Err(Violation::InputAfterEof);
    }
    if input.pending() + bytes.len() > INPUT_WINDOW {
        return Err(Violation::InputOverrun);
    }
    input.push(bytes);
    Ok(())
}
