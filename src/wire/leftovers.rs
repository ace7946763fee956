// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fields of `KILL_LEFTOVERS`.

use super::fields::{Field, Row, decode as decode_fields, malformed, one, set_some};
use crate::error::Failure;
use crate::process::leftovers::Leftovers;
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Draft {
    helper: Option<i32>,
    program: Option<i32>,
    timeout: Option<Duration>,
}

const FIELDS: [Row<Draft>; 3] = [
    one(68, "timeout", |draft, field| {
        set_some(&mut draft.timeout, field.milliseconds())
    }),
    one(80, "helper", |draft, field| {
        set_some(&mut draft.helper, pid(field))
    }),
    one(81, "program_pid", |draft, field| {
        set_some(&mut draft.program, pid(field))
    }),
];

pub(crate) fn decode(payload: &[u8]) -> Result<Leftovers, Failure> {
    let mut draft = Draft::default();
    decode_fields(payload, &FIELDS, &mut draft)?;
    Ok(Leftovers {
        helper: draft
            .helper
            .ok_or_else(|| malformed("helper", "it is missing"))?,
        program: draft.program,
        timeout: draft.timeout.unwrap_or(DEFAULT_TIMEOUT),
    })
}

/// A pid that a program may have.
pub(super) fn pid(field: Field<'_>) -> Result<i32, Failure> {
    let pid = i32::try_from(field.u32()?).ok().filter(|&pid| pid > 1);
    pid.ok_or_else(|| malformed(field.name, "it is no pid of a program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(given: &[(u16, u32)]) -> Vec<u8> {
        let field = |&(number, value): &(u16, u32)| {
            let header = [&number.to_be_bytes()[..], &[0, 0, 0, 4]].concat();
            [header, value.to_be_bytes().to_vec()].concat()
        };
        given.iter().flat_map(field).collect()
    }

    #[test]
    fn a_helper_is_named_and_maybe_its_program() {
        let expected = Leftovers {
            helper: 7,
            program: None,
            timeout: Duration::from_millis(100),
        };
        assert_eq!(decode(&fields(&[(80, 7), (68, 100)])).unwrap(), expected);
        let leftovers = decode(&fields(&[(80, 7), (81, 8)])).unwrap();
        assert_eq!(
            (leftovers.program, leftovers.timeout),
            (Some(8), DEFAULT_TIMEOUT)
        );
    }

    #[test]
    fn what_cannot_be_a_pid_is_refused() {
        for given in [&[(81, 8)][..], &[(80, 0)], &[(80, 1)], &[(80, u32::MAX)]] {
            let failure = decode(&fields(given)).unwrap_err();
            assert_eq!(failure.path.to_str(), Some("helper"));
        }
    }
}
