// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Payloads made of fields: START and the CGROUP frames of `docs/protocol.md`.

pub mod cgroup;
pub mod environment;
pub mod fields;
pub mod notice;
pub mod start;
