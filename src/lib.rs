// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! MuonTrap's helper: runs one program, contains it, meters its output, and leaves nothing behind.
//!
//! `main` hands the flags to [`cli`], [`config`] makes typed settings of them, and [`session`] runs
//! the program with them. The other modules are leaves that return values and errors.

// Nothing that comes from outside may end muontrap before it has done its work, and nothing but
// `diagnostics` may say anything.
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
pub mod cli;
pub mod config;
mod diagnostics;
pub mod doctor;
mod error;
pub mod forkserver;
mod number;
pub mod process;
mod reactor;
pub mod run;
pub mod session;
pub mod stream;
pub mod sys;
mod user;
mod wait;
pub mod wire;
