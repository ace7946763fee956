// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Children in a cgroup that share memory with this process until their exec: only Linux on x86-64 has them here.

use crate::sys::Permit;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Fails. The caller has another way.
///
/// # Safety
///
/// None.
pub unsafe fn start_child_in(
    _directory: BorrowedFd<'_>,
    _entry: extern "C" fn(*mut c_void) -> c_int,
    _argument: *mut c_void,
    _pipe: (BorrowedFd<'_>, OwnedFd),
    _permit: &Permit,
) -> io::Result<(i32, bool)> {
    Err(io::ErrorKind::Unsupported.into())
}
