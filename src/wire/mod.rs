// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The framed protocol of `docs/protocol.md`: bytes in both directions.

pub mod cgroup;
pub mod control;
pub mod environment;
pub mod fields;
pub mod frame;
pub mod notice;
pub mod outbox;
pub mod start;
pub mod transport;
