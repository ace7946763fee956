// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Children that share memory with this process until their exec: clone(2).

use super::Stack;
use crate::sys::check;
use std::ffi::{c_int, c_void};
use std::io;

/// Whether [`start_child`] shares memory.
pub const SHARES_MEMORY: bool = true;

/// Starts a child that runs `entry`, as by vfork(2), but on a stack of its own. Returns its pid.
///
/// # Safety
///
/// `entry` never returns, and changes nothing in the memory of this process but errno.
pub unsafe fn start_child(
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<i32> {
    const STACK_SIZE: usize = 16 * 1024;
    let stack = Stack::new(STACK_SIZE)?;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child runs on a stack of its own and changes nothing else in the memory of this process but errno, as
    // the caller promised, and CLONE_VFORK suspends this process until the exec: clone(2). Descriptors, dispositions and
    // credentials are not shared.
    check(unsafe { libc::clone(entry, stack.top(), flags, argument) })
}
