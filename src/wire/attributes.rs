// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fields of START about what the program's process may do.

use super::fields::{Field, Row, one, set, set_some};
use crate::error::Failure;
use crate::process::program::Attributes;
use crate::sys::{Capabilities, ResourceLimit, UNLIMITED};
use std::ffi::CString;
use std::ops::RangeInclusive;

/// The rows of START.
pub(super) const fn rows<T: AsMut<Attributes>>() -> [Row<T>; 6] {
    [
        one(51, "rlimits", |target: &mut T, field| {
            set(&mut target.as_mut().rlimits, limits(field))
        }),
        one(52, "nice", |target: &mut T, field| {
            set_some(&mut target.as_mut().nice, number(field, -20..=19))
        }),
        one(53, "umask", |target: &mut T, field| {
            set_some(&mut target.as_mut().umask, field.permissions())
        }),
        one(54, "oom_score_adj", |target: &mut T, field| {
            set_some(&mut target.as_mut().oom_score_adj, score(field))
        }),
        one(55, "no_new_privs", |target: &mut T, field| {
            set(&mut target.as_mut().no_new_privs, field.flag())
        }),
        one(56, "capabilities", |target: &mut T, field| {
            set_some(&mut target.as_mut().capabilities, capabilities(field))
        }),
    ]
}

fn number(field: Field<'_>, range: RangeInclusive<i32>) -> Result<i32, Failure> {
    let number = field.utf8()?.parse().ok();
    let number = number.filter(|number| range.contains(number));
    let (first, last) = range.into_inner();
    field.checked(number.ok_or_else(|| format!("it is not a number from {first} to {last}")))
}

fn score(field: Field<'_>) -> Result<CString, Failure> {
    number(field, -1000..=1000)?;
    field.c_string()
}

/// The parts of a value that are separated by commas.
fn items(field: Field<'_>) -> Result<impl Iterator<Item = &str>, Failure> {
    let text = field.utf8()?;
    Ok(text.split(',').filter(move |_| !text.is_empty()))
}

fn limits(field: Field<'_>) -> Result<Vec<ResourceLimit>, Failure> {
    items(field)?
        .map(|item| field.checked(limit(item)))
        .collect()
}

fn limit(text: &str) -> Result<ResourceLimit, String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [name, soft, hard] = words[..] else {
        return Err(format!(
            "{text:?} is not a resource, a soft and a hard limit"
        ));
    };
    let number = |text: &str| match text {
        "unlimited" => Ok(UNLIMITED),
        _ => text.parse().map_err(|_| format!("{text:?} is not a limit")),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft > hard {
        return Err(format!(
            "the soft limit of {text:?} is above the hard limit"
        ));
    }
    ResourceLimit::new(name, soft, hard).ok_or_else(|| format!("there is no resource {name:?}"))
}

fn capabilities(field: Field<'_>) -> Result<Capabilities, Failure> {
    items(field)?.try_fold(Capabilities::default(), |set, name| {
        let unknown = || format!("there is no capability {name:?}");
        let named = field.checked(Capabilities::named(name).ok_or_else(unknown))?;
        Ok(set.with(named))
    })
}
