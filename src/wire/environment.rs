// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The program's environment: the client's, with changes.

use super::fields::{Row, decode, malformed, many, one, push, set, set_some};
use super::payload::push_field;
use crate::error::Failure;
use crate::user::LOGIN_VARIABLES;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const VARIABLE: u16 = 6;
const VARIABLE_NAME: &str = "variable";
const NUMBER_NAME: &str = "environment";

/// An environment that came before START, by ENVIRONMENT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub number: u64,
    /// `NAME=value`
    pub variables: Vec<CString>,
}

impl Given {
    /// Decodes the payload of ENVIRONMENT.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, Failure> {
        const TABLE: [Row<Vec<CString>>; 1] =
            [many(VARIABLE, VARIABLE_NAME, |variables, field| {
                push(variables, field.c_string())
            })];
        let (number, payload) = payload
            .split_first_chunk()
            .ok_or_else(|| malformed(NUMBER_NAME, "its number is cut short"))?;
        let mut variables = Vec::new();
        decode(payload, &TABLE, &mut variables)?;
        Ok(Self {
            number: u64::from_be_bytes(*number),
            variables,
        })
    }
}

/// What START says about the environment.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: Vec<CString>,
    number: Option<u64>,
    changes: Vec<Change>,
    clears: bool,
    is_login: bool,
}

#[derive(Debug)]
enum Change {
    Set(CString),
    Unset(Vec<u8>),
}

/// The rows of START about the environment.
pub(super) const fn rows<T: AsMut<Environment>>() -> [Row<T>; 6] {
    [
        many(VARIABLE, VARIABLE_NAME, |target: &mut T, field| {
            push(&mut target.as_mut().variables, field.c_string())
        }),
        one(7, NUMBER_NAME, |target: &mut T, field| {
            set_some(&mut target.as_mut().number, field.u64())
        }),
        many(8, "set", |target: &mut T, field| {
            if matches!(name_of(field.value), None | Some([])) {
                return Err(malformed(field.name, "it is not NAME=value"));
            }
            push(
                &mut target.as_mut().changes,
                field.c_string().map(Change::Set),
            )
        }),
        many(9, "unset", |target: &mut T, field| {
            if field.value.is_empty() || name_of(field.value).is_some() {
                return Err(malformed(field.name, "it is not the name of a variable"));
            }
            let name = field.value.to_owned();
            push(&mut target.as_mut().changes, Ok(Change::Unset(name)))
        }),
        one(10, "clear_env", |target: &mut T, field| {
            set(&mut target.as_mut().clears, field.flag())
        }),
        one(11, "login_env", |target: &mut T, field| {
            set(&mut target.as_mut().is_login, field.flag())
        }),
    ]
}

/// The environment of a program.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The client's PATH, whatever the changes say.
    pub path: Option<OsString>,
    /// `NAME=value`; `None` for the environment of this process.
    pub variables: Option<Vec<CString>>,
    /// The variables of a login that are to be added, which neither `variables` nor the changes have.
    pub login: Vec<&'static str>,
}

impl Environment {
    fn is_unchanged(&self) -> bool {
        self.changes.is_empty() && !self.clears && !self.is_login
    }

    /// Applies the changes. `None` when START names another environment than the `given` one, whose variables are
    /// taken otherwise.
    pub(super) fn resolve(self, given: Option<&mut Given>) -> Result<Option<Resolved>, Failure> {
        let base = match (self.number, self.variables.is_empty()) {
            (Some(_), false) => {
                return Err(malformed(NUMBER_NAME, "there are variables beside it"));
            }
            (Some(number), true) => match given.filter(|given| given.number == number) {
                Some(given) => std::mem::take(&mut given.variables),
                None => return Ok(None),
            },
            (None, false) => self.variables,
            (None, true) if self.is_unchanged() => {
                let path = std::env::var_os("PATH");
                return Ok(Some(Resolved {
                    path,
                    variables: None,
                    login: Vec::new(),
                }));
            }
            (None, true) => own(),
        };
        let path = base.iter().find_map(|variable| {
            let path = variable.as_bytes().strip_prefix(b"PATH=")?;
            Some(OsStr::from_bytes(path).to_owned())
        });
        let mut base = if self.clears { Vec::new() } else { base };
        let mut login = if self.is_login {
            LOGIN_VARIABLES.to_vec()
        } else {
            Vec::new()
        };
        base.retain(|variable| !login.iter().any(|name| is_of(variable, name.as_bytes())));
        login.retain(|name| {
            !self
                .changes
                .iter()
                .any(|change| change.name() == name.as_bytes())
        });
        Ok(Some(Resolved {
            path,
            variables: Some(changed(base, self.changes)),
            login,
        }))
    }
}

fn changed(mut variables: Vec<CString>, changes: Vec<Change>) -> Vec<CString> {
    for change in changes {
        variables.retain(|variable| !is_of(variable, change.name()));
        if let Change::Set(variable) = change {
            variables.push(variable);
        }
    }
    variables
}

impl Change {
    /// The name of the variable.
    fn name(&self) -> &[u8] {
        match self {
            Self::Set(variable) => name_of(variable.as_bytes()).unwrap_or_default(),
            Self::Unset(name) => name,
        }
    }
}

fn is_of(variable: &CStr, name: &[u8]) -> bool {
    name_of(variable.to_bytes()) == Some(name)
}

/// What comes before the equals sign.
fn name_of(variable: &[u8]) -> Option<&[u8]> {
    let end = variable.iter().position(|&byte| byte == b'=')?;
    Some(&variable[..end])
}

/// Appends the variables of this process, as fields.
pub(crate) fn push_own(payload: &mut Vec<u8>) {
    for variable in own() {
        push_field(payload, VARIABLE, variable.as_bytes());
    }
}

/// The variables of this process.
pub(super) fn own() -> Vec<CString> {
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

    const SET: u16 = 8;
    const UNSET: u16 = 9;

    impl AsMut<Self> for Environment {
        fn as_mut(&mut self) -> &mut Self {
            self
        }
    }

    fn environment(fields: &[(u16, &str)]) -> Environment {
        let mut payload = Vec::new();
        for (number, value) in fields {
            push_field(&mut payload, *number, value.as_bytes());
        }
        let mut environment = Environment::default();
        decode(&payload, &rows(), &mut environment).unwrap();
        environment
    }

    fn resolved(fields: &[(u16, &str)]) -> (Option<OsString>, Vec<String>) {
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
            (VARIABLE, "A=1"),
            (VARIABLE, "PATH=/bin"),
            (VARIABLE, "AB=2"),
            (SET, "PATH=/other"),
            (UNSET, "A"),
            (SET, "A=3=4"),
            (SET, "B="),
            (UNSET, "B"),
        ]);
        assert_eq!(path, Some("/bin".into()));
        assert_eq!(variables, ["AB=2", "PATH=/other", "A=3=4"]);
    }

    #[test]
    fn a_path_that_is_only_set_is_not_searched() {
        let (path, variables) = resolved(&[(VARIABLE, "A=1"), (SET, "PATH=/bin")]);
        assert_eq!((path, variables.len()), (None, 2));
    }

    #[test]
    fn a_cleared_environment_has_only_what_is_set() {
        let mut cleared = environment(&[(VARIABLE, "PATH=/bin"), (VARIABLE, "A=1"), (SET, "B=2")]);
        cleared.clears = true;
        let resolved = cleared.resolve(None).unwrap().unwrap();
        assert_eq!(resolved.path, Some("/bin".into()));
        assert_eq!(resolved.variables, Some(vec![c"B=2".to_owned()]));
    }

    #[test]
    fn variables_of_a_login_replace_inherited_ones_and_not_changes() {
        let mut login = environment(&[
            (VARIABLE, "HOME=/root"),
            (VARIABLE, "SHELL=/bin/a"),
            (VARIABLE, "A=1"),
            (SET, "SHELL=/bin/b"),
            (UNSET, "LOGNAME"),
        ]);
        login.is_login = true;
        let resolved = login.resolve(None).unwrap().unwrap();
        assert_eq!(resolved.login, ["HOME", "USER"]);
        let expected = ["A=1", "SHELL=/bin/b"].map(|it| CString::new(it).unwrap());
        assert_eq!(resolved.variables, Some(expected.to_vec()));
    }

    #[test]
    fn a_given_environment_is_taken_by_its_number() {
        let field = [0, 6, 0, 0, 0, 3, b'A', b'=', b'1'];
        let mut given = Given::decode(&[&9_u64.to_be_bytes()[..], &field].concat()).unwrap();
        let numbered = |number: u64| Environment {
            number: Some(number),
            ..Environment::default()
        };
        assert!(numbered(8).resolve(Some(&mut given)).unwrap().is_none());
        let resolved = numbered(9).resolve(Some(&mut given)).unwrap().unwrap();
        assert_eq!(resolved.variables, Some(vec![c"A=1".to_owned()]));
        assert!(numbered(9).resolve(None).unwrap().is_none());
        let mut both = environment(&[(VARIABLE, "A=1")]);
        both.number = Some(9);
        assert!(both.resolve(Some(&mut given)).is_err());
    }

    #[test]
    fn without_any_it_is_that_of_this_process() {
        let resolved = Environment::default().resolve(None).unwrap().unwrap();
        assert!(resolved.variables.is_none() && resolved.path.is_some());
        let changed = environment(&[(SET, "MUONTRAP_UNIT_TEST=1")]);
        let changed = changed.resolve(None).unwrap().unwrap().variables.unwrap();
        assert_eq!(changed.len(), std::env::vars_os().count() + 1);
    }
}
