// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! User and group ids: credentials(7).

use super::{check, drop_ambient_capabilities};
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets the supplementary groups. For the child.
pub fn set_groups(groups: &[u32]) -> io::Result<()> {
    #[allow(clippy::unnecessary_cast)] // the type of the count differs between systems
    let count = groups.len() as _;
    // SAFETY: the list is live and has `count` entries.
    check(unsafe { libc::setgroups(count, groups.as_ptr()) }).map(drop)
}

/// Sets the real, effective and saved gid, which takes privileges. For the child.
pub fn set_gid(gid: u32) -> io::Result<()> {
    // SAFETY: system calls without pointers.
    let has_changed = unsafe {
        check(libc::setgid(gid))?;
        libc::getgid() == gid && libc::getegid() == gid
    };
    confirm(has_changed)
}

/// Sets the real, effective and saved uid, which takes privileges, and drops all of them
/// but those of [`super::keep_capabilities`]. For the child.
pub fn set_uid(uid: u32) -> io::Result<()> {
    // The kernel does it only when the uid changes from 0: capabilities(7).
    drop_ambient_capabilities();
    // SAFETY: setuid takes no pointers.
    check(unsafe { libc::setuid(uid) })?;
    confirm(has_only_uid(uid))
}

/// Without privileges, setgid(2) and setuid(2) may succeed and change the effective id alone.
fn confirm(has_changed: bool) -> io::Result<()> {
    if has_changed {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }
}

#[cfg(target_os = "linux")]
fn has_only_uid(uid: u32) -> bool {
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: the pointers are to live, writable ids.
    let result = unsafe { libc::getresuid(&raw mut real, &raw mut effective, &raw mut saved) };
    result == 0 && [real, effective, saved] == [uid; 3]
}

/// There is no call for the saved uid. It is not root if root cannot be restored.
#[cfg(not(target_os = "linux"))]
fn has_only_uid(uid: u32) -> bool {
    // SAFETY: system calls without pointers.
    unsafe { libc::getuid() == uid && libc::geteuid() == uid && libc::setuid(0) == -1 }
}

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
