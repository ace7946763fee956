// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! MuonTrap's helper: runs one program, contains it, meters its output, and leaves nothing behind.
//!
//! [`run::main`] is where `main` begins. `docs/` describes what the helper does.

// Nothing that comes from outside may end muontrap before it has done its work, and only
// `diagnostics` writes to stderr.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::todo,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod cgroup;
mod cli;
mod config;
mod diagnostics;
mod doctor;
mod error;
mod forkserver;
mod number;
pub mod parts;
mod process;
mod reactor;
pub mod run;
mod session;
mod stream;
mod sys;
mod user;
mod wait;
mod wire;

// What only the entry point needs.
pub use sys::{Allocator, Title, command_line, ignore_sigpipe, open_standard_fds};
