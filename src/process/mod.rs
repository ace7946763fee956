// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes: reading `/proc`, finding the descendants of this process, killing them.

pub mod children;
pub mod pace;
pub mod permission;
pub mod proc_table;
pub mod sweep;
