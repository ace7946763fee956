// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! One directory of a cgroup: creating, locking, emptying and removing it.

mod freeze;
mod holder;
mod kill;
mod lock;
mod make;
mod open;
mod protected;
mod remove;
pub(super) mod tree;

pub use kill::KillStep;
pub(super) use kill::{Killer, remaining};
pub(super) use lock::DEAD_HOLDER_TIMEOUT;
pub(super) use make::CreatedDirs;
pub use open::Entry;
pub(super) use open::{BUSY_TIMEOUT, Group};
pub(super) use protected::refuse_own;

#[cfg(test)]
pub(super) use kill::Method;
#[cfg(test)]
pub(super) use lock::lock;
