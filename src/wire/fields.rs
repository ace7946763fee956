// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A sequence of fields: `u16 field, u32 length, value`.

use crate::error::{Failure, Step};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// One field that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name in `docs/protocol.md`.
    pub name: &'static str,
    /// Its bytes.
    pub value: &'a [u8],
}

/// A field that a payload may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// Whether it may come more than once.
    pub repeats: bool,
}

/// A field that comes once at the most.
pub const fn one(number: u16, name: &'static str) -> Row {
    Row {
        number,
        name,
        repeats: false,
    }
}

/// A field that may come any number of times.
pub const fn many(number: u16, name: &'static str) -> Row {
    Row {
        number,
        name,
        repeats: true,
    }
}

/// Calls `each` for every field of `payload`, all of which must be in `table`.
pub fn read<'a>(
    mut payload: &'a [u8],
    table: &[Row],
    mut each: impl FnMut(Field<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // One bit a row; no table is that long.
    let mut seen = 0_u64;
    while !payload.is_empty() {
        let cut_short = || Failure::new(Step::Options, "the last field is cut short");
        let (number, rest) = payload.split_first_chunk().ok_or_else(cut_short)?;
        let (length, rest) = rest.split_first_chunk().ok_or_else(cut_short)?;
        let number = u16::from_be_bytes(*number);
        let length = u32::from_be_bytes(*length) as usize;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(cut_short)?;
        payload = rest;
        let index = table.iter().position(|row| row.number == number);
        let Some(index) = index else {
            let message = format!("there is no field {number} in this frame");
            return Err(Failure::new(Step::Options, message).path(number.to_string()));
        };
        let name = table[index].name;
        if seen & 1 << index != 0 && !table[index].repeats {
            return Err(malformed(name, "it comes twice"));
        }
        seen |= 1 << index;
        each(Field { name, value })?;
    }
    Ok(())
}

/// What is wrong with the field of this name.
pub fn malformed(name: &str, why: &str) -> Failure {
    Failure::new(Step::Options, format!("the field {name} is wrong: {why}")).path(name)
}

impl<'a> Field<'a> {
    /// Its bytes, for the kernel.
    pub fn c_string(self) -> Result<CString, Failure> {
        CString::new(self.value).map_err(|_| malformed(self.name, "it has a null byte in it"))
    }

    /// Its bytes, without a null byte.
    pub fn text(self) -> Result<OsString, Failure> {
        if self.value.contains(&0) {
            return Err(malformed(self.name, "it has a null byte in it"));
        }
        Ok(OsStr::from_bytes(self.value).to_owned())
    }

    /// Text in UTF-8.
    pub fn name(self) -> Result<&'a str, Failure> {
        std::str::from_utf8(self.value).map_err(|_| malformed(self.name, "it is not UTF-8"))
    }

    /// A u32.
    pub fn number(self) -> Result<u32, Failure> {
        let bytes = self.value.try_into();
        bytes
            .map(u32::from_be_bytes)
            .map_err(|_| malformed(self.name, "it is not a number of four bytes"))
    }

    /// A u64.
    pub fn long(self) -> Result<u64, Failure> {
        let bytes = self.value.try_into();
        bytes
            .map(u64::from_be_bytes)
            .map_err(|_| malformed(self.name, "it is not a number of eight bytes"))
    }

    /// One of some words.
    pub fn choice<T: Copy>(self, choices: &[(&str, T)]) -> Result<T, Failure> {
        let found = choices
            .iter()
            .find(|(word, _)| word.as_bytes() == self.value);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let given = String::from_utf8_lossy(self.value);
            malformed(
                self.name,
                &format!("{given:?} is none of {}", words.join(", ")),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Row; 2] = [one(1, "first"), many(7, "seventh")];

    fn field(number: u16, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap();
        [&number.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
    }

    fn names(payload: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
        let mut found = Vec::new();
        read(payload, &TABLE, |field| {
            found.push((field.name, field.value.to_vec()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn fields_come_in_their_order() {
        let payload = [field(7, b"a"), field(1, b""), field(7, b"b")].concat();
        let expected = [("seventh", "a"), ("first", ""), ("seventh", "b")];
        let expected = expected.map(|(name, value)| (name, value.as_bytes().to_vec()));
        assert_eq!(names(&payload).unwrap(), expected);
        assert_eq!(names(b"").unwrap(), []);
    }

    #[test]
    fn an_unknown_field_is_named() {
        let failure = names(&field(300, b"x")).unwrap_err();
        assert_eq!(
            (failure.step, failure.path.to_str()),
            (Step::Options, Some("300"))
        );
    }

    #[test]
    fn a_field_that_comes_twice_is_named() {
        let failure = names(&[field(1, b"x"), field(1, b"x")].concat()).unwrap_err();
        assert_eq!(failure.path.to_str(), Some("first"));
    }

    #[test]
    fn whatever_is_cut_short_is_refused() {
        let whole = [field(7, b"a"), field(1, b"bc")].concat();
        for end in 1..whole.len() {
            if end != field(7, b"a").len() {
                assert!(names(&whole[..end]).is_err(), "{end}");
            }
        }
        assert!(names(&[0, 1, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn values_have_types() {
        let of = |value| Field { name: "x", value };
        assert_eq!(of(&[0, 0, 1, 0]).number(), Ok(256));
        assert!(of(&[1]).number().is_err());
        assert_eq!(of(&[0, 0, 0, 0, 0, 0, 0, 9]).long(), Ok(9));
        assert!(of(b"a\0b").c_string().is_err() && of(b"a\0b").text().is_err());
        assert!(of(b"\xff").name().is_err());
        assert_eq!(of(b"b").choice(&[("a", 1), ("b", 2)]), Ok(2));
        assert!(
            of(b"c")
                .choice(&[("a", 1)])
                .unwrap_err()
                .message
                .contains("\"c\"")
        );
    }
}
