// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The arguments that execve(2) passed to this process.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// Copies the arguments of `main`.
///
/// # Safety
///
/// `words` points to `count` pointers to null-terminated strings.
pub unsafe fn command_line(count: c_int, words: *const *const c_char) -> Vec<OsString> {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller promised that there are `count` of them.
    let words = (0..count).map(|index| unsafe { CStr::from_ptr(*words.add(index)) });
    words
        .map(|word| OsStr::from_bytes(word.to_bytes()).to_owned())
        .collect()
}
