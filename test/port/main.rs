// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The helper seen from outside: real processes, real pipes, nothing of `src/` but the executable.
//!
//! What the tests know of the bytes they know from `docs/protocol.md` (`frames.rs`), and what they
//! know of processes from `/proc` (`processes.rs`), so that a mistake in the helper is not repeated
//! here. `harness.rs` plays the owner.
#![cfg(target_os = "linux")]

mod blind;
mod client;
mod containment;
mod diagnostics;
mod exec;
mod executable;
mod failing_loop;
mod flow;
mod forkserver;
mod forkserver_cgroups;
mod forkserver_endings;
mod frames;
mod giving_up;
mod harness;
mod identity;
mod inheritance;
mod input;
mod job_control;
mod many;
mod odd_programs;
mod orphans;
mod output;
mod ownership;
mod panics;
mod plain;
mod processes;
mod protocol_errors;
mod raw;
mod report;
mod same_user;
mod setup;
mod signals;
mod start;
mod stdio;
mod stopping;
mod sweeping;
mod terminal;
