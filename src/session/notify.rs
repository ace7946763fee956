// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Notifications of the program, passed on to the owner one at a time.

use super::notify_socket::{Datagram, NotifySocket};
use super::states::{Session, State};
use crate::reactor::Source;
use crate::wire::message;
use std::io;

/// How many datagrams of strangers to throw away before looking at other events.
const READS_IN_A_ROW: u32 = 16;

impl Session<'_> {
    /// Whether a datagram may be passed on: one at a time, since no window limits them.
    pub(super) fn wants_notifications(&self) -> bool {
        let may_read = |socket: &NotifySocket| {
            !socket.awaits_ack || socket.discards || self.outbox.is_closed()
        };
        self.notify.as_ref().is_some_and(may_read)
            && self.reactor.ready.is(Source::Notify)
            && matches!(self.state, State::Running | State::Stopping { .. })
    }

    /// Passes on the next datagram of the program or of one of its descendants.
    pub(super) fn move_notifications(&mut self) -> io::Result<()> {
        for _ in 0..READS_IN_A_ROW {
            if !self.wants_notifications() {
                break;
            }
            let Some(socket) = &self.notify else { break };
            let Some(Datagram { sender, bytes }) = socket.receive()? else {
                self.reactor.ready.clear(Source::Notify);
                break;
            };
            let is_wanted = !socket.discards && !self.outbox.is_closed();
            if is_wanted && !bytes.is_empty() && self.is_own(sender) {
                self.outbox.send(&message::notify(&bytes));
                if let Some(socket) = &mut self.notify {
                    socket.awaits_ack = true;
                }
            }
        }
        Ok(())
    }

    /// Whether a process belongs to the program. One that has ended already cannot be told from a stranger.
    fn is_own(&self, pid: i32) -> bool {
        self.death.is_none() && pid == self.pid || self.containment.is_descendant(pid)
    }
}
