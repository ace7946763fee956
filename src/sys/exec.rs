// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Creating processes and executing programs: fork(2), execve(2).

use super::check;
use std::ffi::{CStr, CString, c_char};
use std::io;
use std::marker::PhantomData;

/// Forks: `None` in the child, its pid in the parent. The child may do whatever the parent could.
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: there is no other thread, which could hold a lock that the child needs.
    let pid = check(unsafe { libc::fork() })?;
    Ok((pid != 0).then_some(pid))
}

/// A null-terminated array of strings, as execve(2) takes it.
#[derive(Debug)]
pub struct StringArray<'a> {
    pointers: Vec<*const c_char>,
    strings: PhantomData<&'a [CString]>,
}

impl<'a> StringArray<'a> {
    /// An array of these strings.
    pub fn new(strings: &'a [CString]) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr());
        Self {
            pointers: pointers.chain([std::ptr::null()]).collect(),
            strings: PhantomData,
        }
    }
}

/// Executes a program, with the environment of this process unless another is given. Returns only on failure. For
/// the child.
pub fn exec(
    path: &CStr,
    argv: &StringArray<'_>,
    environment: Option<&StringArray<'_>>,
) -> io::Error {
    let (path, argv) = (path.as_ptr(), argv.pointers.as_ptr());
    // SAFETY: all strings and arrays are null-terminated, and live as long as `StringArray` borrows them.
    unsafe {
        match environment {
            Some(environment) => libc::execve(path, argv, environment.pointers.as_ptr()),
            None => libc::execv(path, argv),
        };
    }
    io::Error::last_os_error()
}
