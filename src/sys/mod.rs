// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! System calls that have no safe wrapper elsewhere, in a file for each area of the manual.
//!
//! All `unsafe` is here, in `process/spawn/in_child.rs` and at the entry in `main.rs`. Calls that the child makes
//! between fork and exec are async-signal-safe and allocate nothing, errors included; those that are meant for it
//! say so.
#![allow(unsafe_code)]

mod capabilities;
mod clock;
mod credentials;
#[cfg(target_os = "linux")]
mod datagram;
mod descriptors;
mod directory;
mod exec;
mod main_args;
mod pidfd;
mod pipe;
mod prctl;
mod pty;
mod resource;
mod rlimit;
mod signal;
mod signal_mask;
mod sysconf;
mod title;
mod wait;

// For main.rs.
pub use descriptors::open_standard_fds;
pub use main_args::command_line;
pub use signal::ignore_sigpipe;
pub use title::Title;

pub(crate) use capabilities::*;
pub(crate) use clock::*;
pub(crate) use credentials::*;
#[cfg(target_os = "linux")]
pub(crate) use datagram::*;
pub(crate) use descriptors::*;
pub(crate) use directory::*;
pub(crate) use exec::*;
pub(crate) use pidfd::*;
pub(crate) use pipe::*;
pub(crate) use prctl::*;
pub(crate) use pty::*;
pub(crate) use resource::*;
pub(crate) use rlimit::*;
pub(crate) use signal::*;
pub(crate) use signal_mask::*;
pub(crate) use sysconf::*;
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

/// Bytes of the kernel's signal set, which is not the `sigset_t` of the C library: 128 signals on MIPS, 64 elsewhere.
#[cfg(target_os = "linux")]
const KERNEL_SIGSET_SIZE: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    16
} else {
    8
};
