// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The program's environment: the client's, with changes.

use super::fields::{Field, Row, malformed, many, read};
use crate::error::Failure;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A variable of the client's environment.
pub const VARIABLE: Row = many(6, "variable");

/// An environment that came before START, by ENVIRONMENT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Its number.
    pub number: u64,
    /// Its variables (`NAME=value`).
    pub variables: Vec<CString>,
}

impl Given {
    /// Reads the payload of ENVIRONMENT.
    pub fn decode(payload: &[u8]) -> Result<Self, Failure> {
        let (number, payload) = payload
            .split_first_chunk()
            .ok_or_else(|| malformed("environment", "its number is cut short"))?;
        let mut variables = Vec::new();
        read(payload, &[VARIABLE], |field| {
            variables.push(field.c_string()?);
            Ok(())
        })?;
        Ok(Self {
            number: u64::from_be_bytes(*number),
            variables,
        })
    }
}

/// What START says about the environment.
#[derive(Debug, Default)]
pub struct Environment {
    variables: Vec<CString>,
    number: Option<u64>,
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Set(CString),
    Unset(Vec<u8>),
}

/// What the session makes of it.
#[derive(Debug)]
pub struct Resolved {
    /// The client's PATH, whatever the changes say.
    pub path: Option<OsString>,
    /// The program's variables; `None` for those of this process.
    pub variables: Option<Vec<CString>>,
}

impl Environment {
    /// Notes a field.
    pub fn take(&mut self, field: Field<'_>) -> Result<(), Failure> {
        match field.name {
            "environment" => self.number = Some(field.long()?),
            "set" if matches!(name_of(field.value), None | Some([])) => {
                return Err(malformed(field.name, "it is not NAME=value"));
            }
            "set" => self.changes.push(Change::Set(field.c_string()?)),
            "unset" if field.value.is_empty() || name_of(field.value).is_some() => {
                return Err(malformed(field.name, "it is not the name of a variable"));
            }
            "unset" => self.changes.push(Change::Unset(field.value.to_owned())),
            _ => self.variables.push(field.c_string()?),
        }
        Ok(())
    }

    /// `None` when it is another environment than the `given` one that is wanted.
    pub fn resolve(self, given: Option<&Given>) -> Result<Option<Resolved>, Failure> {
        let base = match (self.number, self.variables.is_empty()) {
            (Some(_), false) => {
                return Err(malformed("environment", "there are variables beside it"));
            }
            (Some(number), true) => match given.filter(|given| given.number == number) {
                Some(given) => given.variables.clone(),
                None => return Ok(None),
            },
            (None, false) => self.variables,
            (None, true) if self.changes.is_empty() => {
                let path = std::env::var_os("PATH");
                return Ok(Some(Resolved {
                    path,
                    variables: None,
                }));
            }
            (None, true) => own(),
        };
        let path = base.iter().find_map(|variable| {
            let path = variable.as_bytes().strip_prefix(b"PATH=")?;
            Some(OsStr::from_bytes(path).to_owned())
        });
        Ok(Some(Resolved {
            path,
            variables: Some(changed(base, self.changes)),
        }))
    }
}

fn changed(mut variables: Vec<CString>, changes: Vec<Change>) -> Vec<CString> {
    for change in changes {
        let name = match &change {
            Change::Set(variable) => name_of(variable.as_bytes()).unwrap_or_default(),
            Change::Unset(name) => name,
        };
        variables.retain(|variable| name_of(variable.as_bytes()) != Some(name));
        if let Change::Set(variable) = change {
            variables.push(variable);
        }
    }
    variables
}

/// What stands before the equals sign.
fn name_of(variable: &[u8]) -> Option<&[u8]> {
    let end = variable.iter().position(|&byte| byte == b'=')?;
    Some(&variable[..end])
}

/// Appends the variables of this process, as fields.
pub fn push_own(payload: &mut Vec<u8>) {
    for variable in own() {
        let bytes = variable.as_bytes();
        // The kernel limits all of them together to less than that.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        payload.extend_from_slice(&VARIABLE.number.to_be_bytes());
        payload.extend_from_slice(&length.to_be_bytes());
        payload.extend_from_slice(bytes);
    }
}

fn own() -> Vec<CString> {
    let variables = std::env::vars_os().filter_map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        // They come from strings with null bytes at their ends.
        CString::new(name.into_vec()).ok()
    });
    variables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(fields: &[(&'static str, &str)]) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in fields {
            let value = value.as_bytes();
            environment.take(Field { name, value }).unwrap();
        }
        environment
    }

    fn resolved(fields: &[(&'static str, &str)]) -> (Option<OsString>, Vec<String>) {
        let resolved = environment(fields).resolve(None).unwrap().unwrap();
        let variables = resolved.variables.unwrap().into_iter();
        (
            resolved.path,
            variables.map(|it| it.into_string().unwrap()).collect(),
        )
    }

    #[test]
    fn changes_apply_in_their_order_and_leave_the_path_to_search_alone() {
        let (path, variables) = resolved(&[
            ("variable", "A=1"),
            ("variable", "PATH=/bin"),
            ("variable", "AB=2"),
            ("set", "PATH=/other"),
            ("unset", "A"),
            ("set", "A=3=4"),
            ("set", "B="),
            ("unset", "B"),
        ]);
        assert_eq!(path, Some("/bin".into()));
        assert_eq!(variables, ["AB=2", "PATH=/other", "A=3=4"]);
    }

    #[test]
    fn a_path_that_is_only_set_is_not_searched() {
        let (path, variables) = resolved(&[("variable", "A=1"), ("set", "PATH=/bin")]);
        assert_eq!((path, variables.len()), (None, 2));
    }

    #[test]
    fn a_given_environment_is_taken_by_its_number() {
        let field = [0, 6, 0, 0, 0, 3, b'A', b'=', b'1'];
        let given = Given::decode(&[&9_u64.to_be_bytes()[..], &field].concat()).unwrap();
        let numbered = |number: u64| Environment {
            number: Some(number),
            ..Environment::default()
        };
        let resolved = numbered(9).resolve(Some(&given)).unwrap().unwrap();
        assert_eq!(resolved.variables, Some(vec![c"A=1".to_owned()]));
        assert!(numbered(8).resolve(Some(&given)).unwrap().is_none());
        assert!(numbered(9).resolve(None).unwrap().is_none());
        let mut both = environment(&[("variable", "A=1")]);
        both.number = Some(9);
        assert!(both.resolve(Some(&given)).is_err());
    }

    #[test]
    fn without_any_it_is_that_of_this_process() {
        let resolved = Environment::default().resolve(None).unwrap().unwrap();
        assert!(resolved.variables.is_none() && resolved.path.is_some());
        let changed = environment(&[("set", "MUONTRAP_UNIT_TEST=1")]);
        let changed = changed.resolve(None).unwrap().unwrap().variables.unwrap();
        assert_eq!(changed.len(), std::env::vars_os().count() + 1);
    }
}
