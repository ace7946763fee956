// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Environment variables that a port of the BEAM cannot pass on.
//!
//! A port drops variables with an empty value, and under a UTF-8 locale those that are not UTF-8. So
//! they come encoded: `MUONTRAP_ENV_` and the hexadecimal name, with `=` and the hexadecimal value,
//! or `-` to remove the variable. The arguments would show in `ps`; the environment does not.

use crate::sys;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const PREFIX: &[u8] = b"MUONTRAP_ENV_";

/// The program's environment, as `NAME=value`; `None` when it is muontrap's own.
pub fn decoded() -> Option<Vec<CString>> {
    // Copying the variables takes as long as all the rest of a set-up, and hardly ever has to be done.
    if !sys::has_variable_with(PREFIX) {
        return None;
    }
    decode(std::env::vars_os())
}

fn decode(variables: impl Iterator<Item = (OsString, OsString)>) -> Option<Vec<CString>> {
    let (encoded, plain): (Vec<_>, Vec<_>) =
        variables.partition(|(name, _)| name.as_bytes().starts_with(PREFIX));
    if encoded.is_empty() {
        return None;
    }
    let mut environment: BTreeMap<OsString, OsString> = plain.into_iter().collect();
    for (name, value) in encoded {
        match variable(&name, &value) {
            Some((name, Some(value))) => environment.insert(name, value),
            Some((name, None)) => environment.remove(&name),
            // It is not from MuonTrap.
            None => environment.insert(name, value),
        };
    }
    Some(environment.into_iter().filter_map(entry).collect())
}

fn variable(name: &OsStr, value: &OsStr) -> Option<(OsString, Option<OsString>)> {
    let name = hexadecimal(name.as_bytes().strip_prefix(PREFIX)?)?;
    match value.as_bytes() {
        b"-" => Some((name, None)),
        [b'=', digits @ ..] => Some((name, Some(hexadecimal(digits)?))),
        _ => None,
    }
}

fn hexadecimal(digits: &[u8]) -> Option<OsString> {
    let pairs = digits.chunks_exact(2);
    let rest = pairs.remainder();
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    bytes.filter(|_| rest.is_empty()).map(OsString::from_vec)
}

fn entry((name, value): (OsString, OsString)) -> Option<CString> {
    let mut entry = name.into_vec();
    entry.push(b'=');
    entry.extend(value.into_vec());
    CString::new(entry).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_pairs(pairs: &[(&str, &str)]) -> Option<Vec<CString>> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect();
        decode(pairs.into_iter())
    }

    #[test]
    fn an_environment_without_encoded_variables_is_left_alone() {
        assert_eq!(decode_pairs(&[("A", "1"), ("B", "")]), None);
    }

    #[test]
    fn encoded_variables_replace_remove_and_add_others() {
        let decoded = decode_pairs(&[
            ("A", "1"),
            ("B", "2"),
            ("C", "3"),
            ("MUONTRAP_ENV_41", "="),
            ("MUONTRAP_ENV_42", "-"),
            ("MUONTRAP_ENV_FF", "=FE3D"),
        ]);
        let expected: [&[u8]; 3] = [b"A=", b"C=3", b"\xff=\xfe="];
        assert_eq!(
            decoded,
            Some(expected.map(|entry| CString::new(entry).unwrap()).into())
        );
    }

    #[test]
    fn variables_that_only_look_encoded_are_the_users() {
        for (name, value) in [
            ("MUONTRAP_ENV_4", "=41"),
            ("MUONTRAP_ENV_41", "41"),
            ("MUONTRAP_ENV_", "x"),
        ] {
            let expected = CString::new(format!("{name}={value}")).unwrap();
            assert_eq!(decode_pairs(&[(name, value)]), Some(vec![expected]));
        }
    }
}
