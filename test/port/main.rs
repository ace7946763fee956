// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Tests of the helper's executable with real processes and pipes. They use nothing of `src/`.
//!
//! `frames.rs` encodes and decodes frames after `docs/protocol.md`, `processes.rs` reads `/proc`, `harness.rs` is an
//! owner of one helper, and `client.rs` a client of a fork server.
#![cfg(target_os = "linux")]

mod answer;
mod attributes;
mod blind;
mod cgroup_start;
mod client;
mod containment;
mod diagnostics;
mod exec;
mod executable;
mod failing_loop;
mod files;
mod filter;
mod flow;
mod forkserver;
mod forkserver_cgroups;
mod forkserver_containment;
mod forkserver_endings;
mod frames;
mod frozen;
mod giving_up;
mod groups;
mod harness;
mod identity;
mod inheritance;
mod input;
mod job_control;
mod leftovers;
mod many;
mod notify;
mod odd_notifiers;
mod odd_programs;
mod odd_starters;
mod orphans;
mod output;
mod ownership;
mod panics;
mod plain;
mod processes;
mod protocol_errors;
mod pty;
mod raw;
mod reading;
mod report;
mod same_user;
mod setup;
mod signals;
mod start;
mod stdio;
mod stop_steps;
mod stopping;
mod sweeping;
mod table;
mod terminal;
