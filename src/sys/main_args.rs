// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What execve(2) passed to this process: arguments and environ(7).

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

/// Whether an entry of the environment begins with `prefix`. Unlike `std::env`, it copies none of them.
pub fn has_variable_with(prefix: &[u8]) -> bool {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: environ(7) ends with a null pointer, its entries are null-terminated, and nothing in
    // this process changes it.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            if CStr::from_ptr(*entry).to_bytes().starts_with(prefix) {
                return true;
            }
            entry = entry.add(1);
        }
    }
    false
}
