// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A command line, sorted by flag.

use clap::ArgMatches;
use std::ffi::OsString;

/// Flags with their values, and the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// In the order in which they were given. That of a flag which takes none is empty.
    values: Vec<(&'static str, OsString)>,
    /// The program and its arguments.
    pub program: Vec<OsString>,
}

impl Flags {
    /// Those of `names` that were given, by what clap made of the command line.
    pub fn of(matches: &ArgMatches, names: impl IntoIterator<Item = &'static str>) -> Self {
        let mut flags = Self::default();
        for name in names {
            if let Ok(values) = matches.try_get_many::<OsString>(name) {
                for value in values.into_iter().flatten() {
                    flags.push(name, value.clone());
                }
            } else if matches!(matches.try_get_one(name), Ok(Some(true))) {
                flags.push(name, OsString::new());
            }
        }
        flags
    }

    /// Adds a flag.
    pub fn push(&mut self, name: &'static str, value: OsString) {
        self.values.push((name, value));
    }

    /// All values of a flag.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &OsString> {
        let named = self.values.iter().filter(move |(flag, _)| *flag == name);
        named.map(|(_, value)| value)
    }

    /// The value of a flag of which the last one counts.
    pub fn last(&self, name: &str) -> Option<&OsString> {
        self.all(name).last()
    }

    /// Whether a flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }
}
