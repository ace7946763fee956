// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes: what `/proc` says of them, who descends from this one, and how all of those end.

pub mod children;
pub mod pace;
pub mod permission;
pub mod proc_table;
pub mod sweep;
