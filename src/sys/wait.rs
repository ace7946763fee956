// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting for children: wait(2), wait4(2), waitid(2).

use super::check;
use std::ffi::c_int;
use std::io;

/// A child that was reaped, as wait4(2) describes it.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    /// Its pid.
    pub pid: i32,
    /// The status word of wait(2).
    pub status: c_int,
    /// CPU time in user mode, microseconds, that of the children it waited for included.
    pub user_us: u64,
    /// CPU time in kernel mode, microseconds.
    pub system_us: u64,
    /// Peak resident set, bytes.
    pub peak_rss: u64,
}

/// Reaps one dead child without blocking; `None` when none is dead.
///
/// Fails with `ECHILD` when there are no children at all.
pub fn wait_any() -> io::Result<Option<Waited>> {
    let mut status = 0;
    // SAFETY: rusage is plain old data, for which all zeroes is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let pid = check(wait4(&mut status, &mut usage))?;
    Ok((pid != 0).then(|| Waited {
        pid,
        status,
        user_us: microseconds(usage.ru_utime),
        system_us: microseconds(usage.ru_stime),
        peak_rss: peak_rss_bytes(usage.ru_maxrss),
    }))
}

#[cfg(not(all(target_env = "musl", target_pointer_width = "32")))]
fn wait4(status: &mut c_int, usage: &mut libc::rusage) -> c_int {
    // SAFETY: both pointers are to live, writable values of the right type.
    unsafe { libc::wait4(-1, status, libc::WNOHANG, usage) }
}

/// That of musl leaves `usage` as it is where times have 32 bits, because it takes the pid that it gets for an error.
#[cfg(all(target_env = "musl", target_pointer_width = "32"))]
fn wait4(status: &mut c_int, usage: &mut libc::rusage) -> c_int {
    // As in the kernel's structure. The rest is the same.
    const { assert!(size_of::<libc::timeval>() == 2 * size_of::<libc::c_long>()) };
    let (status, usage) = (&raw mut *status, &raw mut *usage);
    // SAFETY: both pointers are to live, writable values of the right type.
    unsafe { libc::syscall(libc::SYS_wait4, -1, status, libc::WNOHANG, usage) }
}

fn microseconds(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

/// `ru_maxrss`: getrusage(2).
fn peak_rss_bytes(maxrss: libc::c_long) -> u64 {
    u64::try_from(maxrss).unwrap_or(0) * super::system::MAXRSS_UNIT
}

/// A child that died or was stopped.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    /// Its pid.
    pub pid: i32,
    /// The status word of wait(2).
    pub status: c_int,
}

/// Reaps a dead child, or reports one that was stopped, without blocking; `None` when there is neither.
///
/// Fails with `ECHILD` when there are no children at all.
pub fn wait_any_change() -> io::Result<Option<Changed>> {
    let mut status = 0;
    let options = libc::WNOHANG | libc::WUNTRACED;
    // SAFETY: the pointer is to a live, writable integer.
    let pid = check(unsafe { libc::waitpid(-1, &raw mut status, options) })?;
    Ok((pid != 0).then_some(Changed { pid, status }))
}

/// Whether this process has any child, dead or alive.
pub fn has_children() -> io::Result<bool> {
    has_child_of(libc::P_ALL, 0)
}

/// Whether `pid` is a child, dead or alive. The kernel does not reuse the pid before the child is reaped.
pub fn is_child(pid: i32) -> io::Result<bool> {
    has_child_of(libc::P_PID, pid)
}

/// Whether a child, dead or alive, is in this process group.
#[cfg_attr(any(target_os = "macos", feature = "portable"), allow(dead_code))]
pub fn has_child_in_group(group: i32) -> io::Result<bool> {
    has_child_of(libc::P_PGID, group)
}

fn has_child_of(kind: libc::idtype_t, id: i32) -> io::Result<bool> {
    if id < 0 {
        return Ok(false);
    }
    // The type of the id differs between systems.
    #[allow(clippy::cast_sign_loss, clippy::cast_lossless)]
    let id = id as libc::id_t;
    // SAFETY: siginfo_t is plain old data, for which all zeroes is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    loop {
        // SAFETY: the pointer is to a live, writable siginfo_t.
        match check(unsafe { libc::waitid(kind, id, &raw mut info, options) }) {
            Ok(_) => return Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The signal that stopped `child`, if it was stopped since the last call.
pub fn stopped_by(child: i32) -> Option<i32> {
    let id = child.try_into().ok()?;
    // SAFETY: siginfo_t is plain old data, for which all zeroes is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WSTOPPED | libc::WNOHANG;
    loop {
        // SAFETY: the pointer is to a live, writable siginfo_t.
        match check(unsafe { libc::waitid(libc::P_PID, id, &raw mut info, options) }) {
            // SAFETY: all fields are those of a child, or zero when none was stopped.
            Ok(_) => return unsafe { (info.si_pid() != 0).then(|| info.si_status()) },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_one_until_it_is_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(is_child(pid).unwrap());
        assert!(has_children().unwrap());
        child.wait().unwrap();
        assert!(!is_child(pid).unwrap());
        assert!(!is_child(-1).unwrap());
    }
}
