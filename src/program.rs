// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The file to execute: finding it, and saying why it could not be executed.

use crate::error::{EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, Failure, Step};
use nix::unistd::{AccessFlags, access};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Finds the file to execute. A name without a slash is looked for in PATH; any other is taken as
/// it is, relative to muontrap's own working directory, not the program's.
pub fn find(name: &OsStr) -> Result<CString, Failure> {
    let path = if name.as_bytes().contains(&b'/') {
        std::path::absolute(Path::new(name)).map_err(|error| {
            Failure::new(Step::Exec, "cannot find the current directory").caused_by(&error)
        })?
    } else {
        search_path(name)?
    };
    CString::new(path.into_os_string().into_vec())
        .map_err(|_| Failure::new(Step::Exec, "the program's name has a null byte in it"))
}

fn search_path(name: &OsStr) -> Result<PathBuf, Failure> {
    let directories = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/bin:/usr/bin"));
    let mut found_unusable = None;
    for directory in std::env::split_paths(&directories) {
        let candidate = std::path::absolute(directory.join(name)).unwrap_or_default();
        if !name.is_empty() && candidate.is_file() {
            if access(&candidate, AccessFlags::X_OK).is_ok() {
                return Ok(candidate);
            }
            found_unusable.get_or_insert(candidate);
        }
    }
    let shown = name.to_string_lossy();
    Err(match found_unusable {
        Some(path) => cannot_execute(&path, libc::EACCES),
        None => Failure::new(Step::Exec, format!("no program {shown:?} in PATH"))
            .exit_status(EXIT_NOT_FOUND)
            .errno(libc::ENOENT)
            .path(name),
    })
}

/// Why execve(2) failed with `errno`.
pub fn cannot_execute(path: &Path, errno: i32) -> Failure {
    let shown = path.display();
    let failure = |message: String| {
        Failure::new(Step::Exec, message)
            .errno(errno)
            .exit_status(EXIT_NOT_EXECUTABLE)
            .path(path)
    };
    match errno {
        libc::ENOENT | libc::ENOTDIR if !path.exists() => {
            failure(format!("there is no program {shown}")).exit_status(EXIT_NOT_FOUND)
        }
        libc::ENOENT => match interpreter(path) {
            // Escaped, because the usual culprit is a carriage return.
            Some(name) => failure(format!(
                "the interpreter {} of {shown} does not exist",
                name.escape_debug()
            )),
            None => failure(format!("the dynamic loader that {shown} names does not exist"))
                .advice("it was built for another C library or machine"),
        },
        libc::ENOEXEC => failure(format!("{shown} is not in a format that can be executed"))
            .advice("a script needs a #! line; a binary has to be built for this machine"),
        libc::EACCES => failure(format!("{shown} is not executable"))
            .advice("it has to be a file with execute permission, in directories that may be searched, on a file system that is not mounted noexec"),
        libc::E2BIG => failure(format!("the arguments and environment of {shown} are too long")),
        _ => failure(format!("cannot execute {shown}")),
    }
}

/// What a script names after `#!`.
fn interpreter(path: &Path) -> Option<String> {
    let mut line = Vec::new();
    let limit = 256;
    BufReader::new(File::open(path).ok()?.take(limit))
        .read_until(b'\n', &mut line)
        .ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let mut words = line.strip_prefix("#!")?.split([' ', '\t', '\n']);
    let name = words.find(|word| !word.is_empty())?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_in_path() {
        let path = find(OsStr::new("sh")).unwrap();
        assert!(path.to_str().unwrap().ends_with("/sh"));
        let failure = find(OsStr::new("no-such-program")).unwrap_err();
        assert_eq!(failure.exit_status, EXIT_NOT_FOUND);
        assert!(find(OsStr::new("")).is_err());
    }

    #[test]
    fn a_path_is_made_absolute_but_not_looked_at() {
        let path = find(OsStr::new("./no/such")).unwrap();
        assert!(path.to_str().unwrap().starts_with('/'));
    }
}
