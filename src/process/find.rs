// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Finding the file to execute, and explaining why it could not be executed.

use crate::error::{EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, Failure, Step};
use nix::unistd::{AccessFlags, access};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How the program's file is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// As a shell: a name with a slash is a path, and others are searched in muontrap's `PATH`.
    Shell,
    /// As `System.cmd/3`: all but absolute paths are searched in this `PATH`.
    Path(Option<OsString>),
}

/// Finds the file to execute. Relative paths start at muontrap's working directory, not at the program's.
pub fn find(name: &OsStr, lookup: &Lookup) -> Result<CString, Failure> {
    let path = match lookup {
        Lookup::Shell if name.as_bytes().contains(&b'/') => absolute(Path::new(name))?,
        Lookup::Shell => {
            let default = || OsString::from("/bin:/usr/bin");
            let path = std::env::var_os("PATH").unwrap_or_else(default);
            search(name, &path).map_err(|unusable| match unusable {
                Some(path) => cannot_execute(&path, libc::EACCES),
                None => not_found(name, None),
            })?
        }
        Lookup::Path(_) if name.as_bytes().starts_with(b"/") => PathBuf::from(name),
        Lookup::Path(path) => {
            let path = path.as_deref().unwrap_or_default();
            search(name, path).map_err(|unusable| not_found(name, unusable.as_deref()))?
        }
    };
    CString::new(path.into_os_string().into_vec())
        .map_err(|_| Failure::new(Step::Exec, "the program's name has a null byte in it"))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        Failure::new(Step::Exec, "cannot find the current directory").caused_by(&error)
    })
}

/// Finds the first executable file of this name in the directories of `path`, where an empty entry is the working
/// directory. The error is the first file of this name that is not executable, if any.
fn search(name: &OsStr, path: &OsStr) -> Result<PathBuf, Option<PathBuf>> {
    let mut unusable = None;
    for directory in std::env::split_paths(path) {
        let mut candidate = directory.join(name);
        if !candidate.is_absolute() {
            candidate = std::path::absolute(candidate).unwrap_or_default();
        }
        if !name.is_empty() && candidate.is_file() {
            if access(&candidate, AccessFlags::X_OK).is_ok() {
                return Ok(candidate);
            }
            unusable.get_or_insert(candidate);
        }
    }
    Err(unusable)
}

fn not_found(name: &OsStr, unusable: Option<&Path>) -> Failure {
    let shown = name.to_string_lossy();
    let mut message = format!("no program {shown:?} in PATH");
    if let Some(path) = unusable {
        message = format!("{message} ({} is not executable)", path.display());
    }
    Failure::new(Step::Exec, message)
        .exit_status(EXIT_NOT_FOUND)
        .errno(libc::ENOENT)
        .path(name)
}

/// Explains why execve(2) failed with `errno`.
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
            // Escaped, since a carriage return is the most common mistake.
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

/// The interpreter that a script names after `#!`.
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
    fn names_are_searched_in_path() {
        let path = find(OsStr::new("sh"), &Lookup::Shell).unwrap();
        assert!(path.to_str().unwrap().ends_with("/sh"));
        let failure = find(OsStr::new("no-such-program"), &Lookup::Shell).unwrap_err();
        assert_eq!(failure.exit_status, EXIT_NOT_FOUND);
        assert!(find(OsStr::new(""), &Lookup::Shell).is_err());
    }

    #[test]
    fn paths_become_absolute_and_are_not_checked() {
        let path = find(OsStr::new("./no/such"), &Lookup::Shell).unwrap();
        assert!(path.to_str().unwrap().starts_with('/'));
    }

    #[test]
    fn as_system_cmd_only_absolute_paths_are_not_searched() {
        let in_path = |name: &str, path: &str| {
            find(OsStr::new(name), &Lookup::Path(Some(path.into()))).map(CString::into_string)
        };
        assert_eq!(in_path("/no/such", ""), Ok(Ok("/no/such".into())));
        assert_eq!(
            in_path("bin/sh", "/nowhere:/usr"),
            Ok(Ok("/usr/bin/sh".into()))
        );
        assert_eq!(in_path("sh", "/nowhere").unwrap_err().errno, libc::ENOENT);
        let unusable = in_path("passwd", "/etc").unwrap_err();
        assert_eq!(unusable.errno, libc::ENOENT);
        assert!(unusable.message.contains("/etc/passwd"), "{unusable}");
    }
}
