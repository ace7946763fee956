// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! User and group ids: credentials(7).

use super::check;
use super::system::{drop_ambient_capabilities, has_only_uid};
use std::io;

/// Sets the supplementary groups. For the child.
pub fn set_groups(groups: &[u32]) -> io::Result<()> {
    #[allow(clippy::unnecessary_cast)] // the type of the count differs between systems
    let count = groups.len() as _;
    // SAFETY: the list is live and has `count` entries.
    check(unsafe { libc::setgroups(count, groups.as_ptr()) }).map(drop)
}

/// The supplementary groups of this process: getgroups(2).
pub fn own_groups() -> io::Result<Vec<u32>> {
    // SAFETY: with a size of 0, the list is not written.
    let count = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: the list is live and has `count` entries.
    let count = check(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups)
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
