// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fields of USAGE.

use super::fields::{Row, decode as decode_fields, many, push};
use super::leftovers::pid;
use crate::error::Failure;

const FIELDS: [Row<Vec<i32>>; 1] = [many(80, "helper", |sessions, field| {
    push(sessions, pid(field))
})];

/// The pids of the sessions to answer for.
pub(crate) fn decode(payload: &[u8]) -> Result<Vec<i32>, Failure> {
    let mut sessions = Vec::new();
    decode_fields(payload, &FIELDS, &mut sessions)?;
    Ok(sessions)
}
