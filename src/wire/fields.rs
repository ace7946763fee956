// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Payloads of fields (`u16 field, u32 length, value`), decoded by a table.

use crate::error::{Failure, Step};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub name: &'static str,
    pub value: &'a [u8],
}

/// A field that a payload may have, and what is done with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<T> {
    pub number: u16,
    pub name: &'static str,
    /// Whether it may come more than once.
    repeats: bool,
    take: fn(&mut T, Field<'_>) -> Result<(), Failure>,
}

/// A field that comes once at the most.
pub(crate) const fn one<T>(
    number: u16,
    name: &'static str,
    take: fn(&mut T, Field<'_>) -> Result<(), Failure>,
) -> Row<T> {
    Row {
        number,
        name,
        repeats: false,
        take,
    }
}

/// A field that may come any number of times.
pub(crate) const fn many<T>(
    number: u16,
    name: &'static str,
    take: fn(&mut T, Field<'_>) -> Result<(), Failure>,
) -> Row<T> {
    Row {
        repeats: true,
        ..one(number, name, take)
    }
}

/// Decodes `payload` into `target`. A field that is not in the table is an error.
pub(crate) fn decode<T>(payload: &[u8], table: &[Row<T>], target: &mut T) -> Result<(), Failure> {
    decode_by_tables(payload, &[table], target)
}

/// Decodes `payload` into `target`. A field that is in none of the tables is an error.
pub(crate) fn decode_by_tables<T>(
    mut payload: &[u8],
    tables: &[&[Row<T>]],
    target: &mut T,
) -> Result<(), Failure> {
    // One bit for each row. No frame has more than 64.
    let mut seen = 0_u64;
    while !payload.is_empty() {
        let cut_short = || Failure::new(Step::Options, "the last field is cut short");
        let (number, rest) = payload.split_first_chunk().ok_or_else(cut_short)?;
        let (length, rest) = rest.split_first_chunk().ok_or_else(cut_short)?;
        let number = u16::from_be_bytes(*number);
        let length = u32::from_be_bytes(*length) as usize;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(cut_short)?;
        payload = rest;
        let mut rows = tables.iter().copied().flatten().enumerate();
        let Some((index, row)) = rows.find(|(_, row)| row.number == number) else {
            let message = format!("there is no field {number} in this frame");
            return Err(Failure::new(Step::Options, message).path(number.to_string()));
        };
        if seen & 1 << index != 0 && !row.repeats {
            return Err(malformed(row.name, "it comes twice"));
        }
        seen |= 1 << index;
        let name = row.name;
        (row.take)(target, Field { name, value })?;
    }
    Ok(())
}

/// What is wrong with the field of this name.
pub(crate) fn malformed(name: &str, why: &str) -> Failure {
    Failure::new(Step::Options, format!("the field {name} is wrong: {why}")).path(name)
}

/// Stores the value of a field that comes once, for a row of a table.
pub(crate) fn set<T>(target: &mut T, value: Result<T, Failure>) -> Result<(), Failure> {
    *target = value?;
    Ok(())
}

/// Stores the value of a field that has no default.
pub(crate) fn set_some<T>(
    target: &mut Option<T>,
    value: Result<T, Failure>,
) -> Result<(), Failure> {
    set(target, value.map(Some))
}

/// Stores the value of a field that may come any number of times.
pub(crate) fn push<T>(target: &mut Vec<T>, value: Result<T, Failure>) -> Result<(), Failure> {
    target.push(value?);
    Ok(())
}

/// The types of values.
impl<'a> Field<'a> {
    /// Bytes without a null byte.
    pub(crate) fn c_string(self) -> Result<CString, Failure> {
        CString::new(self.value).map_err(|_| malformed(self.name, "it has a null byte in it"))
    }

    /// One or more bytes without a null byte.
    pub(crate) fn not_empty(self) -> Result<CString, Failure> {
        if self.value.is_empty() {
            return Err(malformed(self.name, "it is empty"));
        }
        self.c_string()
    }

    /// Bytes without a null byte, for the file system.
    pub(crate) fn text(self) -> Result<OsString, Failure> {
        if self.value.contains(&0) {
            return Err(malformed(self.name, "it has a null byte in it"));
        }
        Ok(OsStr::from_bytes(self.value).to_owned())
    }

    pub(crate) fn utf8(self) -> Result<&'a str, Failure> {
        std::str::from_utf8(self.value).map_err(|_| malformed(self.name, "it is not UTF-8"))
    }

    pub(crate) fn string(self) -> Result<String, Failure> {
        self.utf8().map(str::to_owned)
    }

    pub(crate) fn u32(self) -> Result<u32, Failure> {
        let bytes = self.value.try_into();
        bytes
            .map(u32::from_be_bytes)
            .map_err(|_| malformed(self.name, "it is not a number of four bytes"))
    }

    pub(crate) fn u64(self) -> Result<u64, Failure> {
        let bytes = self.value.try_into();
        bytes
            .map(u64::from_be_bytes)
            .map_err(|_| malformed(self.name, "it is not a number of eight bytes"))
    }

    /// A u32: 0 or 1.
    pub(crate) fn flag(self) -> Result<bool, Failure> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(malformed(self.name, "it is neither 0 nor 1")),
        }
    }

    /// A u32 of permission bits.
    pub(crate) fn permissions(self) -> Result<u32, Failure> {
        match self.u32()? {
            bits @ 0..=0o777 => Ok(bits),
            _ => Err(malformed(self.name, "it has other bits than 0777")),
        }
    }

    /// A u32.
    pub(crate) fn milliseconds(self) -> Result<Duration, Failure> {
        self.u32().map(|ms| Duration::from_millis(ms.into()))
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(self, choices: &[(&str, T)]) -> Result<T, Failure> {
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

    /// What a check of the value came to, whose error says what is wrong with it.
    pub(crate) fn checked<T>(self, result: Result<T, String>) -> Result<T, Failure> {
        result.map_err(|why| malformed(self.name, &why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::payload::push_field;

    type Seen = Vec<(&'static str, Vec<u8>)>;

    const TABLE: [Row<Seen>; 2] = [one(1, "first", note), many(7, "seventh", note)];

    #[allow(clippy::unnecessary_wraps)] // a row takes it so
    fn note(seen: &mut Seen, field: Field<'_>) -> Result<(), Failure> {
        seen.push((field.name, field.value.to_vec()));
        Ok(())
    }

    fn field(number: u16, value: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        push_field(&mut payload, number, value);
        payload
    }

    fn decoded(payload: &[u8]) -> Result<Seen, Failure> {
        let mut seen = Vec::new();
        decode(payload, &TABLE, &mut seen)?;
        Ok(seen)
    }

    #[test]
    fn fields_come_in_their_order() {
        let payload = [field(7, b"a"), field(1, b""), field(7, b"b")].concat();
        let expected = [("seventh", "a"), ("first", ""), ("seventh", "b")];
        let expected = expected.map(|(name, value)| (name, value.as_bytes().to_vec()));
        assert_eq!(decoded(&payload).unwrap(), expected);
        assert_eq!(decoded(b"").unwrap(), []);
    }

    #[test]
    fn an_unknown_field_is_named() {
        let failure = decoded(&field(300, b"x")).unwrap_err();
        assert_eq!(
            (failure.step, failure.path.to_str()),
            (Step::Options, Some("300"))
        );
    }

    #[test]
    fn a_field_that_comes_twice_is_named() {
        let failure = decoded(&[field(1, b"x"), field(1, b"x")].concat()).unwrap_err();
        assert_eq!(failure.path.to_str(), Some("first"));
    }

    #[test]
    fn whatever_is_cut_short_is_refused() {
        let whole = [field(7, b"a"), field(1, b"bc")].concat();
        for end in 1..whole.len() {
            if end != field(7, b"a").len() {
                assert!(decoded(&whole[..end]).is_err(), "{end}");
            }
        }
        assert!(decoded(&[0, 1, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn values_have_types() {
        let of = |value| Field { name: "x", value };
        assert_eq!(of(&[0, 0, 1, 0]).u32(), Ok(256));
        assert!(of(&[1]).u32().is_err());
        assert_eq!(of(&[0, 0, 0, 0, 0, 0, 0, 9]).u64(), Ok(9));
        assert!(of(b"a\0b").c_string().is_err() && of(b"a\0b").text().is_err());
        assert!(of(b"\xff").utf8().is_err());
        assert_eq!(of(b"b").choice(&[("a", 1), ("b", 2)]), Ok(2));
        let failure = of(b"c").choice(&[("a", 1)]).unwrap_err();
        assert!(failure.message.contains("\"c\""));
    }
}
