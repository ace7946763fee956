// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A datagram and what comes with it.

use std::os::fd::OwnedFd;

/// A datagram on a socket with `SO_PASSCRED`.
#[derive(Debug)]
pub(crate) struct ReceivedDatagram {
    /// How many bytes of it are in the buffer.
    pub length: usize,
    /// Whether bytes or control messages are missing: for the latter, the process may have too many descriptors.
    pub truncated: bool,
    /// The pid of its sender, 0 if unknown.
    pub sender: i32,
    pub descriptors: Vec<OwnedFd>,
}
