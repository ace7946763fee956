// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Control groups: limits from the first instruction on, and isolation that descendants cannot escape.
//!
//! A [`Plan`] says what would be done on a [`Host`] for a [`Request`]. [`Cgroup::create`] carries it out,
//! on any kind of host: v1, v2, or both at once. The child is created in the v2 group of
//! [`Cgroup::entries`], and writes `0` to the files of the others between fork and exec. In the end
//! [`Cgroup::kill_step`] and [`Cgroup::remove_step`] are called until both are done.
//!
//! # Decisions
//!
//! - **Paths** begin at the root of what is mounted, with or without a leading `/`: in a container
//!   that is the container's own root.
//! - **A group that exists** is ours by contract. It is emptied first, with the groups below it, unless
//!   it holds this process or one that started it; its settings stay as they are. It is removed in
//!   the end like any other, or only emptied where this user may not remove it.
//! - **One muontrap at a time** uses a group, and has a lock on it. The next one waits.
//! - **Groups above it** that were missing are created and stay, for other programs may use them by
//!   then. If anything fails before the program runs, they are removed too.
//! - **On v1** a program gets one directory more, at the same path, where none of those that it needs
//!   can kill or freeze: on the v2 mount of a hybrid host, else of the freezer.
//! - **Values** of the host's own version are written as given, for the kernel to judge. They are not
//!   read back: where the kernel rounds or clamps, it documents so. One case is checked, since it would
//!   undo the limit: a v2 cpuset that the groups above do not grant.

mod clean;
mod cpuset;
mod create;
mod dialect;
mod enabling;
mod error;
mod error_text;
mod fs;
mod group;
mod hierarchies;
mod host;
mod live;
mod location;
mod memory;
mod operation;
mod owned;
mod plan;
mod poll;
mod request;
mod settings;
mod watched_host;

pub use clean::clean;
pub use dialect::{v1_name, v2_name};
pub use error::Error;
pub use error_text::doctor_command;
pub use fs::is_writable;
pub use group::KillStep;
pub use host::{Hierarchy, Host};
pub use location::Location;
pub use operation::{Action, Operation, Values};
pub use owned::{Cgroup, Locations};
pub use plan::Plan;
pub use request::Request;
pub use watched_host::WatchedHost;

#[cfg(test)]
#[path = "kill_test.rs"]
mod kill_tests;
#[cfg(test)]
#[path = "lock_test.rs"]
mod lock_tests;
#[cfg(test)]
#[path = "permission_test.rs"]
mod permission_tests;
#[cfg(test)]
#[path = "real_test.rs"]
mod real_tests;
#[cfg(test)]
#[path = "test_support.rs"]
mod test_support;
