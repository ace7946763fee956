// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The variables that a login sets for a user: login(1).

use super::files::User;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// The names of the variables.
pub const LOGIN_VARIABLES: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

/// `NAME=value` for these names. An empty field of passwd(5) stands for its default.
pub(super) fn variables(names: &[&str], user: &User) -> Vec<CString> {
    let variable = |name: &&str| {
        let value = match *name {
            "HOME" => or(&user.home, "/"),
            "SHELL" => or(&user.shell, "/bin/sh"),
            _ => user.name.as_os_str(),
        };
        // A line of a file with a null byte is no entry.
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
    };
    names.iter().filter_map(variable).collect()
}

fn or<'a>(value: &'a OsStr, default: &'a str) -> &'a OsStr {
    if value.is_empty() {
        OsStr::new(default)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::users;
    use super::*;

    fn of(line: &str, names: &[&str]) -> Vec<String> {
        let user = users(line.as_bytes()).next().unwrap();
        let variables = variables(names, &user).into_iter();
        variables.map(|it| it.into_string().unwrap()).collect()
    }

    #[test]
    fn values_are_those_of_the_entry() {
        assert_eq!(
            of("a:x:1:2:A B:/home/a:/bin/bash", &LOGIN_VARIABLES),
            ["HOME=/home/a", "USER=a", "LOGNAME=a", "SHELL=/bin/bash"]
        );
        assert_eq!(
            of("a:x:1:2:::", &["SHELL", "HOME"]),
            ["SHELL=/bin/sh", "HOME=/"]
        );
        assert_eq!(of("a:x:1:2", &["HOME"]), ["HOME=/"]);
    }
}
