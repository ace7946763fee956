// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Stopping and continuing.

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::ffi::c_int;

/// The signal that stopped a child, if one has since this was asked the last time.
#[cfg(target_os = "linux")]
pub fn stopped_by(child: i32) -> Option<i32> {
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
    loop {
        match waitid(Id::Pid(Pid::from_raw(child)), flags) {
            Ok(WaitStatus::Stopped(_, signal)) => return Some(signal as i32),
            Err(Errno::EINTR) => {}
            _ => return None,
        }
    }
}

/// Not told elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn stopped_by(_child: i32) -> Option<i32> {
    None
}

/// Stops this process and all others of its group by `signal`, which is one of job control, whether it is
/// blocked or caught here or not. Returns when this process goes on, or at once when the group is
/// orphaned: the kernel does not stop those.
pub fn stop_own_group(signal: c_int) {
    // SAFETY: plain old data, for which all zeroes is a value: SIG_DFL, no flags and an empty mask.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let (mut action, mut mask) = unsafe { (default, std::mem::zeroed()) };
    let mut only = nix::sys::signal::SigSet::empty();
    only.add(match signal {
        libc::SIGTTIN => nix::sys::signal::SIGTTIN,
        libc::SIGTTOU => nix::sys::signal::SIGTTOU,
        _ => nix::sys::signal::SIGTSTP,
    });
    // SAFETY: all pointers are to live values, and no handler is installed that was not there before.
    unsafe {
        libc::sigaction(signal, &raw const default, &raw mut action);
        libc::sigprocmask(libc::SIG_UNBLOCK, only.as_ref(), &raw mut mask);
        libc::kill(0, signal);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}
