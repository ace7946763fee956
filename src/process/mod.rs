// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes: reading `/proc`, starting the program, finding
//! its descendants, killing and reaping them.

pub mod children;
pub mod credentials;
pub mod find;
pub mod pace;
pub mod permission;
pub mod proc_table;
pub mod reap;
pub mod spawn;
pub mod sweep;
