// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What only Linux has.

use crate::sys::{Capabilities, ReceivedDatagram, fork};
use mio::Interest;
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// What to wait for to find out that the other end of a descriptor is closed: there is nothing less.
pub const END_INTEREST: Interest = Interest::READABLE;

/// Whether [`start_child`] shares memory.
pub const SHARES_MEMORY: bool = false;

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

/// For the child: an error that has an errno.
fn no_such_call() -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// There is a system call that tells when a process has started, which is as quick.
pub fn start_time_now() -> Option<u64> {
    None
}

/// Starts a child that runs `entry`. Returns its pid.
///
/// # Safety
///
/// `entry` never returns.
pub unsafe fn start_child(
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<i32> {
    let pid = fork()?;
    Ok(pid.unwrap_or_else(|| entry(argument)))
}

/// There are no cgroups.
pub fn fork_into(_directory: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    unsupported()
}

/// Descriptors cannot be opened by way of `/proc`.
pub fn become_undumpable() {}

/// A stack keeps its memory.
pub fn release_stack() {}

/// A child has a page fault for each part of the code that it uses.
pub fn copy_page_tables_to_forks() {}

pub fn set_no_new_privs() -> io::Result<()> {
    no_such_call()
}

pub fn set_oom_score_adj(_score: i32) -> io::Result<()> {
    no_such_call()
}

pub fn limit_bounding_set(_kept: Capabilities) -> io::Result<()> {
    no_such_call()
}

pub fn keep_capabilities() -> io::Result<()> {
    no_such_call()
}

pub fn set_capabilities(_set: Capabilities) -> io::Result<()> {
    no_such_call()
}

pub fn drop_ambient_capabilities() {}

/// Only root may switch the user, and root may signal all processes.
pub fn may_signal_others() -> bool {
    true
}

/// ps(1) shows the name of the file.
pub fn set_process_name(_name: &CStr) {}

/// The callers have another way.
pub fn close_range(_range: &Range<RawFd>, _flags: c_uint) -> io::Result<()> {
    unsupported()
}

/// The session sleeps instead.
pub fn change_processor() -> bool {
    false
}

/// No socket whose unread bytes can be asked for, so clients send ACK.
pub fn is_unix_socket(_fd: &impl AsRawFd) -> bool {
    false
}

/// The kernel does not tell.
pub fn memory_of_unread(_fd: &impl AsRawFd) -> Option<usize> {
    None
}

/// The pages stay.
pub fn release_pages(_bytes: &mut [u8]) {}

/// The capacity of a pipe cannot be asked for.
pub fn pipe_size(_fd: &impl AsFd) -> nix::Result<usize> {
    Err(nix::errno::Errno::ENOTSUP)
}

pub fn bind_notify_socket() -> io::Result<(OwnedFd, Vec<u8>)> {
    unsupported()
}

pub fn receive_datagram(_socket: impl AsFd, _bytes: &mut [u8]) -> io::Result<ReceivedDatagram> {
    unsupported()
}

/// A list that this process can read without a search of the process table.
#[derive(Debug)]
pub struct OwnChildren;

impl OwnChildren {
    pub fn open() -> io::Result<Self> {
        unsupported()
    }

    #[allow(clippy::unused_self)]
    pub fn pids(&self) -> io::Result<Vec<i32>> {
        unsupported()
    }
}

pub fn enter_directory_of(_pid: i32) -> io::Result<()> {
    unsupported()
}

/// The process table is that of this process.
pub fn sees_own_processes() -> bool {
    true
}

/// Whether the real, effective and saved uid are this one. There is no call for the saved uid: it is not root if root
/// cannot be restored. For the child.
pub fn has_only_uid(uid: u32) -> bool {
    // SAFETY: system calls without pointers.
    unsafe { libc::getuid() == uid && libc::geteuid() == uid && libc::setuid(0) == -1 }
}
