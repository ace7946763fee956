// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Counters of a fork server.

/// Since the start of the fork server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Connections that became sessions.
    pub accepted: u64,
    /// Connections of other processes than the client.
    pub refused_pid: u64,
    /// Connections of other users.
    pub refused_uid: u64,
    /// Sessions that were killed.
    pub lost: u64,
    /// Processes that those left, and that were killed.
    pub swept: u64,
    /// How often a stopped session was continued.
    pub continued: u64,
}
