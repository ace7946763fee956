// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Creating processes and executing programs: fork(2), execve(2).

use super::check;
use std::io;

/// Forks: `None` in the child, its pid in the parent. The child may do whatever the parent could.
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: there is no other thread, which could hold a lock that the child needs.
    let pid = check(unsafe { libc::fork() })?;
    Ok((pid != 0).then_some(pid))
}
