// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Linux.

mod capabilities;
mod child_events;
mod clone;
#[cfg_attr(
    not(all(target_arch = "x86_64", target_pointer_width = "64")),
    path = "../posix/clone_shared.rs"
)]
mod clone_shared;
mod counters;
mod credentials;
mod datagram;
mod death_watch;
mod descriptors;
mod directory;
mod huge_page;
mod limits;
mod mapping;
mod pidfd;
mod pipe;
mod prctl;
mod priority;
mod process_table;
mod processors;
mod rendezvous;
mod seccomp;
mod signals;
mod stack;
mod sysconf;
mod terminal;
mod unread;
mod waker;

pub use capabilities::*;
pub use child_events::*;
pub use clone::*;
pub use clone_shared::*;
pub use counters::*;
pub use credentials::*;
pub use datagram::*;
pub use death_watch::*;
pub use descriptors::*;
pub use directory::*;
pub use limits::*;
pub use mapping::*;
pub use pidfd::*;
pub use pipe::*;
pub use prctl::*;
pub use priority::*;
pub use process_table::*;
pub use processors::*;
pub use rendezvous::*;
pub use signals::*;
pub use stack::*;
pub use sysconf::start_time_now;
pub use terminal::*;
pub use unread::*;
pub use waker::*;

/// Bytes in one unit of `ru_maxrss`: getrusage(2).
pub const MAXRSS_UNIT: u64 = 1024;
