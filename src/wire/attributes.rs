// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fields of START about what the program's process may do.

use super::fields::{Field, Row, malformed, one, set, set_some};
use crate::error::Failure;
use crate::process::attributes::{ATTRIBUTES, Attribute, Attributes, Values};
use crate::sys::{Capabilities, ResourceLimit, UNLIMITED};
use std::ops::RangeInclusive;

/// The rows of START that are not in [`rows_of_numbers`].
pub(super) const fn rows<T: AsMut<Attributes>>() -> [Row<T>; 2] {
    [
        one(51, "rlimits", |target: &mut T, field| {
            set(&mut target.as_mut().rlimits, limits(field))
        }),
        one(56, "capabilities", |target: &mut T, field| {
            set_some(&mut target.as_mut().capabilities, capabilities(field))
        }),
    ]
}

/// How many attributes are numbers.
pub(super) const COUNT: usize = ATTRIBUTES.len();

/// The rows of START for [`ATTRIBUTES`].
pub(super) const fn rows_of_numbers<T: AsMut<Attributes>>() -> [Row<T>; COUNT] {
    let mut rows = [const { one(0, "", take::<T>) }; COUNT];
    let mut index = 0;
    while index < rows.len() {
        let attribute = &ATTRIBUTES[index];
        rows[index] = one(attribute.field, attribute.name, take::<T>);
        index += 1;
    }
    rows
}

fn take<T: AsMut<Attributes>>(target: &mut T, field: Field<'_>) -> Result<(), Failure> {
    let is_named = |attribute: &&Attribute| attribute.name == field.name;
    let Some(attribute) = ATTRIBUTES.iter().find(is_named) else {
        return Err(malformed(field.name, "there is no such attribute"));
    };
    let number = match &attribute.values {
        Values::Decimal(range) => number(field, range.clone())?,
        Values::Permissions => i32::try_from(field.permissions()?).unwrap_or_default(),
        Values::Flag if field.flag()? => 1,
        Values::Flag => return Ok(()),
    };
    target.as_mut().numbers.push((attribute, number));
    Ok(())
}

fn number(field: Field<'_>, range: RangeInclusive<i32>) -> Result<i32, Failure> {
    let number = field.utf8()?.parse().ok();
    let number = number.filter(|number| range.contains(number));
    let (first, last) = range.into_inner();
    field.checked(number.ok_or_else(|| format!("it is not a number from {first} to {last}")))
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
