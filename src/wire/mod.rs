// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The framed protocol of `docs/protocol.md`: bytes in both directions.

mod attributes;
pub(crate) mod cgroup;
pub(crate) mod environment;
pub(crate) mod fields;
pub(crate) mod frame;
pub(crate) mod inbox;
pub(crate) mod leftovers;
pub(crate) mod message;
pub(crate) mod notice;
pub(crate) mod outbox;
pub(crate) mod payload;
pub(crate) mod report;
pub(crate) mod start;
pub(crate) mod transport;
pub(crate) mod usage;
pub(crate) mod violation;
