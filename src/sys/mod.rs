// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! System calls that have no safe wrapper elsewhere, in a file for each area of the manual.
//!
//! What differs between systems is in a folder or a file for each of them, as functions of the same names and
//! meanings: [`linux`], `macos` and `freebsd`, and `posix` for what the last two have in common. A call that only Linux
//! has stands twice: in a file of [`linux`], and in `posix/absent.rs` for all others. Without the second, neither they
//! compile nor the feature `portable`.
//!
//! All `unsafe` is here, in `process/spawn/in_child.rs` and at the entry in `main.rs`. Calls that the child makes
//! between fork and exec are async-signal-safe and allocate nothing, errors included; those that are meant for it
//! say so.
#![allow(unsafe_code)]

mod capabilities;
mod clock;
mod credentials;
mod datagram;
mod descriptors;
mod exec;
mod main_args;
mod memory;
mod pipe;
mod process;
mod pty;
mod resource;
mod rlimit;
mod signal;
mod title;
mod wait;

#[cfg(target_os = "linux")]
#[cfg_attr(feature = "portable", allow(dead_code, unused_imports))]
mod linux;
#[cfg(all(target_os = "linux", not(feature = "portable")))]
use linux as system;

#[cfg(any(not(target_os = "linux"), feature = "portable"))]
#[cfg_attr(feature = "portable", allow(dead_code, unused_imports))]
mod posix;

#[cfg(all(target_os = "linux", feature = "portable"))]
mod portable;
#[cfg(all(target_os = "linux", feature = "portable"))]
use portable as system;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "freebsd")]
use freebsd as system;

// For main.rs.
pub use descriptors::open_standard_fds;
pub use main_args::command_line;
pub use memory::Allocator;
pub use signal::ignore_sigpipe;
pub use title::Title;

pub(crate) use capabilities::*;
pub(crate) use clock::*;
pub(crate) use credentials::*;
pub(crate) use datagram::*;
pub(crate) use descriptors::*;
pub(crate) use exec::*;
pub(crate) use memory::{allocate_from_heap, enter_server_region, enter_session_region};
pub(crate) use pipe::*;
pub(crate) use process::*;
pub(crate) use pty::*;
pub(crate) use resource::*;
pub(crate) use rlimit::*;
pub(crate) use signal::*;
pub(crate) use system::*;
pub(crate) use wait::*;

use std::ffi::c_int;
use std::io;

/// Not by way of nix's `Errno`, which knows no errno that is not in errno(3).
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
