// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What systems other than Linux have in common.

mod absent;
mod child_events;
mod clone_shared;
mod death_watch;
mod entry;
mod limits;
#[cfg(not(target_os = "freebsd"))]
mod orphans;
mod priority;
mod rendezvous;
mod signals;
mod waker;

pub use absent::*;
pub use child_events::*;
pub use clone_shared::*;
pub use death_watch::*;
pub use entry::*;
pub use limits::*;
#[cfg(not(target_os = "freebsd"))]
pub use orphans::*;
pub use priority::*;
pub use rendezvous::*;
pub use signals::*;
pub use waker::*;
