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

pub mod accounts;
pub mod ahead;
pub mod cgroup;
pub mod cli;
pub mod commands;
pub mod config;
pub mod containment;
pub mod control;
pub mod diagnostics;
pub mod doctor;
pub mod emergency;
pub mod entry;
pub mod environment;
pub mod error;
pub mod flags;
pub mod forced_end;
pub mod forkserver;
pub mod identity;
pub mod input;
pub mod outbox;
pub mod process;
pub mod program;
pub mod protocol;
pub mod reactor;
pub mod reap;
pub mod relay;
pub mod session;
pub mod setup;
pub mod signals;
pub mod spawn;
pub mod stdio;
pub mod sys;
pub mod terminal;
pub mod transport;
pub mod wait;
pub mod window;
pub mod wire;
