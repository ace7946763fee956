// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Terminals and edges of epoll(7).

use mio::Interest;
use nix::sys::termios::{InputFlags, Termios};

/// What to wait for to find out that the other end of a descriptor is closed, and not that it can be read.
pub const END_INTEREST: Interest = Interest::PRIORITY;

/// Has the terminal erase whole characters of UTF-8.
pub fn expect_utf8(modes: &mut Termios) {
    modes.input_flags.insert(InputFlags::IUTF8);
}
