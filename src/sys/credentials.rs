// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! User and group ids, and capabilities: credentials(7), capabilities(7).

use super::check;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The pid and the uid of the peer of a Unix socket: `SO_PEERCRED`, unix(7).
#[cfg(target_os = "linux")]
pub fn peer_of(socket: BorrowedFd<'_>) -> io::Result<(i32, u32)> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut size = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: both pointers are to live, writable values, and `size` is that of the first.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    })?;
    Ok((peer.pid, peer.uid))
}

/// The effective capabilities of this process, one bit each: capget(2).
#[cfg(target_os = "linux")]
pub fn effective_capabilities() -> io::Result<u64> {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3, 0];
    // Effective, permitted and inheritable: the low halves of the three, then the high ones.
    let mut sets = [0_u32; 6];
    // SAFETY: both arrays have the size that the kernel reads and writes for this version.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    check(c_int::try_from(result).unwrap_or(-1))?;
    Ok(u64::from(sets[0]) | u64::from(sets[3]) << 32)
}
