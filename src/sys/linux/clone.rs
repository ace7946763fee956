// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Children that share memory with this process until their exec, and those that begin in a cgroup: clone(2).

use crate::sys::check;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

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
    const ALIGNMENT: usize = 16;
    // On the heap: stack probes would touch each page of an array on this process's stack.
    let mut stack = Vec::<u8>::with_capacity(STACK_SIZE);
    let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
    let top = top.wrapping_sub(top.addr() % ALIGNMENT);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child runs on a stack of its own and changes nothing else in the memory of this process but errno, as
    // the caller promised, and CLONE_VFORK suspends this process until the exec: clone(2). Descriptors, dispositions and
    // credentials are not shared.
    check(unsafe { libc::clone(entry, top.cast(), flags, argument) })
}

/// Forks as [`crate::sys::fork`] does, but with the child in the cgroup whose directory this is: version 2, Linux 5.7.
///
/// The child may only make system calls, and no call of the C library that depends on the id of the thread.
pub fn fork_into_cgroup(directory: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    /// `struct clone_args` of clone3(2).
    #[repr(C, align(8))]
    #[derive(Default)]
    struct Arguments {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    let arguments = Arguments {
        flags: CLONE_INTO_CGROUP,
        exit_signal: libc::SIGCHLD.unsigned_abs().into(),
        cgroup: directory.as_raw_fd().unsigned_abs().into(),
        ..Arguments::default()
    };
    // SAFETY: the arguments are live and as large as is said. Without CLONE_VM and a stack, this is a fork: the child
    // has a copy of all memory. There is no other thread.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<Arguments>(),
        )
    };
    let pid = check(i32::try_from(pid).unwrap_or(-1))?;
    Ok((pid != 0).then_some(pid))
}
