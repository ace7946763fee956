// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The owner of a session, as far as a session sees it: the stream in both directions, and signals.

use super::signals::{Handlers, Signals};
use super::terminal::Terminal;
use crate::diagnostics;
use crate::error::{Failure, Step};
use crate::sys;
use crate::wire::frame::Decoder;
use crate::wire::inbox::Inbox;
use crate::wire::message;
use crate::wire::outbox::Outbox;
use crate::wire::transport::Transport;
use std::os::fd::AsFd as _;

#[derive(Debug)]
pub(super) struct Owner {
    pub transport: Transport,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub signals: Signals,
    /// The controlling terminal, which muontrap may share with the program.
    pub terminal: Option<Terminal>,
}

impl Owner {
    /// Checks the descriptors before any other is opened: none may take the place of one that is closed.
    pub(super) fn connect(
        transport: Transport,
        handlers: Option<Handlers>,
    ) -> Result<Self, Failure> {
        // Before there is a program that could open the owner's pipes by /proc.
        sys::become_undumpable();
        let (inbox, outbox) = (Inbox::open(transport)?, Outbox::open(transport)?);
        let acknowledged = transport.is_acknowledged();
        // An owner who acknowledges output is a program, which has no terminal to share.
        let terminal = if acknowledged { None } else { Terminal::open() };
        let signals = Signals::install(handlers, acknowledged, terminal.is_some())
            .map_err(|error| Failure::new(Step::Spawn, "cannot catch signals").caused_by(&error))?;
        Ok(Self {
            transport,
            inbox,
            outbox,
            signals,
            terminal,
        })
    }

    /// Waits until something can be read from the owner, or written to it. `false` when it is gone, when a signal
    /// means stop, and on errors.
    pub(super) fn wait(&mut self) -> bool {
        self.outbox.flush();
        if self.signals.take_stop() {
            return false;
        }
        let signals = self.signals.as_fd();
        let may_go_on = self.inbox.wait(&mut self.outbox, Some(signals));
        self.signals.drain();
        may_go_on
    }

    /// Reports that the program never ran, and returns the exit status of muontrap.
    pub(super) fn fail(&mut self, failure: &Failure) -> u8 {
        if !matches!(self.transport, Transport::Framed { .. }) {
            return print(failure);
        }
        self.outbox.send(&message::failed(failure));
        // An owner that still writes must not do so to a session that is gone.
        while self.wait() && self.inbox.receive().is_ok() {
            self.inbox.decoder = Decoder::default();
        }
        failure.exit_status
    }
}

/// Reports a failure on stderr, and returns the exit status of muontrap.
pub(super) fn print(failure: &Failure) -> u8 {
    diagnostics::say(failure);
    failure.exit_status
}
