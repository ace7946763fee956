// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Children that share memory with this process until their exec, and children that are created in a cgroup: clone(2).

use crate::sys::check;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Whether [`start_child`] shares memory.
pub const SHARES_MEMORY: bool = true;

/// In bytes. Code that is not optimised needs more. `release_stack` returns these pages to the kernel with the others.
const STACK_SIZE: usize = if cfg!(debug_assertions) { 32 } else { 8 } * 1024;

/// A part of this process's own stack for a child that shares its memory, aligned as the stack of a function has to be.
#[repr(align(16))]
pub(super) struct Stack(#[allow(dead_code)] MaybeUninit<[u8; STACK_SIZE]>);

impl Stack {
    pub(super) fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
}

/// Starts a child that runs `entry`, as by vfork(2), but on a part of the stack for it alone. Returns its pid.
///
/// # Safety
///
/// `entry` never returns, and changes nothing in the memory of this process but errno.
pub unsafe fn start_child(
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<i32> {
    let mut stack = Stack::new();
    let top = (&raw mut stack).wrapping_add(1);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child runs on a part of the stack that nothing else uses, and changes nothing else in the memory of
    // this process but errno, as the caller promised, and CLONE_VFORK suspends this process until the exec: clone(2).
    // Descriptors, dispositions and credentials are not shared.
    check(unsafe { libc::clone(entry, top.cast(), flags, argument) })
}

/// Forks into the cgroup v2 of this directory: `None` in the child, its pid in the parent. The child may make only
/// system calls until its exec, since the C library has no part in this. Linux 5.7 and newer.
pub fn fork_into(directory: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let arguments = Arguments::in_cgroup(directory);
    let size = size_of::<Arguments>();
    // SAFETY: the arguments are live and as large as said. The child has a copy of this process's memory, in which it
    // goes on as this process would, without other threads.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size) };
    let pid = check(c_int::try_from(pid).unwrap_or(-1))?;
    Ok((pid != 0).then_some(pid))
}

/// `struct clone_args`, which libc does not have for every architecture.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    pub(super) stack: u64,
    pub(super) stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

impl Arguments {
    /// For a child in the cgroup v2 of this directory.
    pub(super) fn in_cgroup(directory: BorrowedFd<'_>) -> Self {
        /// `CLONE_INTO_CGROUP`, which libc does not have for musl.
        const INTO_CGROUP: u64 = 0x2_0000_0000;
        Self {
            flags: INTO_CGROUP,
            exit_signal: libc::SIGCHLD.unsigned_abs().into(),
            cgroup: directory.as_raw_fd().unsigned_abs().into(),
            ..Self::default()
        }
    }
}
