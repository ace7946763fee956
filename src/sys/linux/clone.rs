// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Children that share memory with this process until their exec: clone(2).

use crate::sys::check;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;

/// A part of this process's own stack, aligned as the stack of a function has to be.
#[repr(align(16))]
struct Stack<const SIZE: usize>(#[allow(dead_code)] [u8; SIZE]);

/// Whether [`start_child`] shares memory.
pub const SHARES_MEMORY: bool = true;

/// Starts a child that runs `entry`, as by vfork(2), but on a part of the stack for it alone. Returns its pid.
///
/// # Safety
///
/// `entry` never returns, and changes nothing in the memory of this process but errno.
pub unsafe fn start_child(
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<i32> {
    /// In bytes. Code that is not optimised needs more. `release_stack` returns these pages to the kernel with the others.
    const STACK_SIZE: usize = if cfg!(debug_assertions) { 32 } else { 8 } * 1024;
    let mut stack = MaybeUninit::<Stack<STACK_SIZE>>::uninit();
    let top = stack.as_mut_ptr().wrapping_add(1);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child runs on a part of the stack that nothing else uses, and changes nothing else in the memory of
    // this process but errno, as the caller promised, and CLONE_VFORK suspends this process until the exec: clone(2).
    // Descriptors, dispositions and credentials are not shared.
    check(unsafe { libc::clone(entry, top.cast(), flags, argument) })
}
