// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Children in a cgroup that share memory with this process until their exec, and do not hold it up for longer than a
//! while: in a group, a process may be frozen at any time, and vfork(2) would wait for as long.
//!
//! Until the child has executed its program or ended, both run at once on the same memory, errno included. So this
//! process does nothing meanwhile but raw system calls, with all signals blocked.

use super::clone::{Arguments, Stack};
use crate::sys::Permit;
use std::arch::asm;
use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, IntoRawFd as _, OwnedFd};

/// How long to wait, in milliseconds.
const TIMEOUT: i32 = 100;
const FOREVER: i32 = -1;

/// Starts a child in the cgroup v2 of this directory that runs `entry` on a stack of its own, and waits until it has
/// executed its program or ended. Returns its pid, and whether it was killed before that since it took too long.
///
/// `reader` and `writer` are a pipe, close-on-exec. Nobody else has its write end.
///
/// # Safety
///
/// All signals are blocked, and there is no other thread. `entry` never returns, changes nothing in the memory of this
/// process but errno, and executes its program only if it takes `permit`.
pub unsafe fn start_child_in(
    directory: BorrowedFd<'_>,
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
    (reader, writer): (BorrowedFd<'_>, OwnedFd),
    permit: &Permit,
) -> io::Result<(i32, bool)> {
    let mut stack = Stack::new();
    let mut arguments = Arguments::in_cgroup(directory);
    arguments.flags |= u64::from(libc::CLONE_VM.unsigned_abs());
    arguments.stack = (&raw mut stack).expose_provenance() as u64;
    arguments.stack_size = size_of::<Stack>() as u64;
    let (reader, writer) = (reader.as_raw_fd(), writer.into_raw_fd());
    // SAFETY: the child runs on a part of the stack that nothing else uses. That and the arguments live until it is done
    // with them: the kernel closes its copy of the write end after it has left this memory. Otherwise as the caller
    // promised.
    unsafe {
        let pid = clone3(&arguments, entry, argument);
        call(libc::SYS_close, i64::from(writer), 0, 0);
        if pid < 0 {
            return Err(io::Error::from_raw_os_error(-pid));
        }
        let mut is_done = await_end(reader, TIMEOUT);
        let is_late = !is_done && permit.withdraw();
        if is_late {
            call(libc::SYS_kill, i64::from(pid), i64::from(libc::SIGKILL), 0);
        }
        while !is_done {
            is_done = await_end(reader, FOREVER);
        }
        Ok((pid, is_late))
    }
}

/// Waits until nobody has the write end of a pipe, at most so many milliseconds. Returns whether that is so.
///
/// # Safety
///
/// That of poll(2), which this is.
unsafe fn await_end(reader: c_int, timeout: c_int) -> bool {
    let mut fd = libc::pollfd {
        fd: reader,
        events: 0,
        revents: 0,
    };
    // An address of a process is positive.
    let address = i64::try_from((&raw mut fd).expose_provenance()).unwrap_or(0);
    // SAFETY: the address is that of one pollfd, which lives until the call is over.
    unsafe { call(libc::SYS_poll, address, 1, i64::from(timeout)) > 0 }
}

/// clone3 for a child with a stack of its own. Returns its pid, or a negative errno.
///
/// # Safety
///
/// That of clone(2). `entry` never returns.
unsafe fn clone3(
    arguments: &Arguments,
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> i32 {
    let result: c_long;
    // SAFETY: this process does nothing but the call, which changes the registers that are named. The child begins after
    // the call with the end of its stack in rsp, which is aligned as a function expects it, and with the other
    // registers of this process. It does not leave `entry`. Otherwise as the caller promised.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            // The outermost frame.
            "xor ebp, ebp",
            "mov rdi, {argument}",
            "call {entry}",
            "ud2",
            "2:",
            entry = in(reg) entry,
            argument = in(reg) argument,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            // Not lateout: these must not be those of the inputs.
            out("rcx") _,
            out("r11") _,
        );
    }
    i32::try_from(result).unwrap_or(-libc::EINVAL)
}

/// A system call without the C library, which would set errno.
///
/// # Safety
///
/// That of the call.
unsafe fn call(number: c_long, first: i64, second: i64, third: i64) -> c_long {
    let result: c_long;
    // SAFETY: the call changes the registers that are named. Otherwise as the caller promised.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
