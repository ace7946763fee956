// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The system calls that have no safe wrapper elsewhere. But for `spawn/in_child.rs` and the entry in
//! `main.rs`, all of the program's `unsafe` is here and in the modules below.
#![allow(unsafe_code)]

mod cpu_limit;
mod job_control;
mod mask;
mod process;
mod title;

pub use cpu_limit::CpuLimit;
pub use job_control::{stop_own_group, stopped_by};
pub use mask::SignalMask;
pub use process::*;
pub use title::Title;

use nix::errno::Errno;
use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A process that was waited for.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    /// Its pid.
    pub pid: i32,
    /// The status word of wait(2).
    pub status: c_int,
    /// CPU time in user mode, microseconds, its waited-for children included.
    pub user_us: u64,
    /// CPU time in kernel mode, microseconds.
    pub system_us: u64,
    /// Peak resident set, bytes.
    pub peak_rss: u64,
}

/// What a process has to do first, where the standard library does not do it: descriptors 0 to 2 are
/// open, so that nothing else becomes one of them, and a pipe that nobody reads is an error like any
/// other, not a signal.
pub fn prepare_process() {
    for fd in 0..=2 {
        // SAFETY: F_GETFD takes no pointers.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            // The lowest free one, which is this. Without /dev/null there is nothing to be done.
            // SAFETY: the path is a string with a null byte at its end.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// The words of a command line.
///
/// # Safety
///
/// `words` points to `count` pointers to strings with a null byte at their end.
pub unsafe fn command_line(count: c_int, words: *const *const c_char) -> Vec<OsString> {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: as the caller promised.
    let words = (0..count).map(|index| unsafe { CStr::from_ptr(*words.add(index)) });
    words
        .map(|word| OsStr::from_bytes(word.to_bytes()).to_owned())
        .collect()
}

fn check(result: c_int) -> io::Result<c_int> {
    Errno::result(result).map_err(io::Error::from)
}

/// Waits for any dead child without blocking; `None` when none is dead.
///
/// Fails with `ECHILD` when there are no children at all.
pub fn wait_any() -> io::Result<Option<Waited>> {
    let mut status = 0;
    // SAFETY: rusage is plain old data, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live, writable values of the right type.
    let pid = check(unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut usage) })?;
    Ok((pid != 0).then(|| Waited {
        pid,
        status,
        user_us: microseconds(usage.ru_utime),
        system_us: microseconds(usage.ru_stime),
        peak_rss: peak_rss_bytes(usage.ru_maxrss),
    }))
}

fn microseconds(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

/// `ru_maxrss` is in kibibytes, but in bytes on Apple's systems: getrusage(2) of each.
fn peak_rss_bytes(maxrss: libc::c_long) -> u64 {
    let unit = if cfg!(target_vendor = "apple") {
        1
    } else {
        1024
    };
    u64::try_from(maxrss).unwrap_or(0) * unit
}

/// A child that changed its state.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    /// Its pid.
    pub pid: i32,
    /// The status word of wait(2).
    pub status: c_int,
}

/// Waits for any child that died or was stopped, without blocking; `None` when there is none.
///
/// Fails with `ECHILD` when there are no children at all.
pub fn wait_any_change() -> io::Result<Option<Changed>> {
    let mut status = 0;
    let options = libc::WNOHANG | libc::WUNTRACED;
    // SAFETY: the pointer is to a live, writable integer.
    let pid = check(unsafe { libc::waitpid(-1, &raw mut status, options) })?;
    Ok((pid != 0).then_some(Changed { pid, status }))
}

/// Gives SIGCHLD its default disposition: whoever started this process may have had it ignored, and
/// then nobody would hear of dead children.
pub fn reset_sigchld() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Makes a copy of this process: `None` in the copy, its pid in the original.
///
/// This process has one thread, so that the copy may do whatever it could do itself.
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: there is no other thread, which could hold a lock that the copy needs.
    let pid = check(unsafe { libc::fork() })?;
    Ok((pid != 0).then_some(pid))
}

/// The pid and the user of the process that connected this socket: `SO_PEERCRED`, unix(7).
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

/// A descriptor that becomes readable when this process dies: `pidfd_open(2)`.
#[cfg(target_os = "linux")]
pub fn open_pid(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(c_int::try_from(fd).unwrap_or(-1))?;
    // SAFETY: it was just opened, and nobody else has it.
    Ok(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) })
}

/// Makes orphans among the descendants children of this process: `PR_SET_CHILD_SUBREAPER(2const)`.
#[cfg(target_os = "linux")]
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: this prctl takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// There is no such thing elsewhere; the process group has to do.
#[cfg(not(target_os = "linux"))]
pub fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// Puts this process's memory and descriptors, of which those in `/proc/<pid>/fd` can be opened anew, out of
/// the reach of its user's other processes: `PR_SET_DUMPABLE(2const)`. What it executes is as usual.
#[cfg(target_os = "linux")]
pub fn become_undumpable() {
    // SAFETY: this prctl takes no pointers. It cannot fail with this argument.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// Elsewhere, there is no such file to open.
#[cfg(not(target_os = "linux"))]
pub fn become_undumpable() {}

/// Sets close-on-exec on every descriptor above 2, so that nothing this process was started with
/// reaches the program.
pub fn cloexec_from_3() {
    #[cfg(target_os = "linux")]
    {
        const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
        // SAFETY: close_range takes no pointers, and with this flag closes nothing now.
        let result = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3 as libc::c_uint,
                libc::c_uint::MAX,
                CLOSE_RANGE_CLOEXEC,
            )
        };
        if result == 0 {
            return;
        }
    }
    // Before Linux 5.11, or on another system.
    for directory in ["/proc/self/fd", "/dev/fd"] {
        if let Ok(entries) = std::fs::read_dir(directory) {
            let fds = entries
                .flatten()
                .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            fds.filter(|&fd: &RawFd| fd > 2).for_each(set_cloexec);
            return;
        }
    }
    (3..1024).for_each(set_cloexec);
}

/// Whether `close_range(2)` can set close-on-exec: Linux 5.11. Without it every descriptor is set by
/// itself.
pub fn has_close_range() -> bool {
    #[cfg(target_os = "linux")]
    {
        const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
        // SAFETY: close_range takes no pointers, and no descriptor is in this range.
        let result = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                libc::c_uint::MAX,
                libc::c_uint::MAX,
                CLOSE_RANGE_CLOEXEC,
            )
        };
        result == 0
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Whether there are `pidfd_open(2)` descriptors: Linux 5.3.
pub fn has_pidfd() -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: pidfd_open takes no pointers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) };
        if let Some(fd) = c_int::try_from(fd).ok().filter(|&fd| fd >= 0) {
            // SAFETY: it was just opened, and nobody else has it.
            drop(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
            return true;
        }
    }
    false
}

/// Takes the flock(2) on an open file, for as long as it is open, `shared` or not: whether no other
/// open file has one that excludes it.
pub fn try_lock(fd: BorrowedFd<'_>, shared: bool) -> io::Result<bool> {
    let kind = if shared { libc::LOCK_SH } else { libc::LOCK_EX };
    // SAFETY: flock takes no pointers.
    match check(unsafe { libc::flock(fd.as_raw_fd(), kind | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

fn set_cloexec(fd: RawFd) {
    // SAFETY: F_SETFD takes an integer; a descriptor that is not open gives EBADF.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Borrows a descriptor that the process was started with, for as long as the process lives.
///
/// Fails with `EBADF` when it is not open.
pub fn borrow_fd(fd: RawFd) -> io::Result<BorrowedFd<'static>> {
    // SAFETY: F_GETFD takes no pointers.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    // SAFETY: it is open, and nothing here closes a descriptor that it did not open itself.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// A copy of a descriptor that the process was started with, close-on-exec and above 2.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    borrow_fd(fd)?.try_clone_to_owned()
}

/// A pipe, both ends close-on-exec and blocking: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    return Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?);
    #[cfg(target_vendor = "apple")]
    {
        // There is no other thread that could fork in between.
        let (reader, writer) = nix::unistd::pipe()?;
        set_cloexec(reader.as_raw_fd());
        set_cloexec(writer.as_raw_fd());
        Ok((reader, writer))
    }
}

/// Changes how much a pipe holds: `F_SETPIPE_SZ`. Fails for a user whose pipes hold much already.
#[cfg(target_os = "linux")]
pub fn resize_pipe(fd: &impl AsFd, bytes: usize) -> nix::Result<()> {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)
}

/// There is no such thing elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn resize_pipe(_fd: &impl AsFd, _bytes: usize) -> nix::Result<()> {
    Err(Errno::ENOTSUP)
}

/// Reads once, at most `limit` bytes, into the spare capacity of `bytes`, and tells how many came.
pub fn read_to_spare(fd: &impl AsFd, bytes: &mut Vec<u8>, limit: usize) -> nix::Result<usize> {
    let spare = bytes.spare_capacity_mut();
    let room = spare.len().min(limit);
    // SAFETY: the kernel writes at most `room` bytes, which is no more than is there.
    let count = unsafe { libc::read(fd.as_fd().as_raw_fd(), spare.as_mut_ptr().cast(), room) };
    let count = Errno::result(count)?.unsigned_abs();
    // SAFETY: so many bytes behind the old ones were just written.
    unsafe { bytes.set_len(bytes.len() + count) };
    Ok(count)
}

/// Sleeps for `time`, or until a signal comes.
pub fn pause(time: Duration) {
    // Less than 1,000,000,000, for the type that differs between systems.
    let nanoseconds = i32::try_from(time.subsec_nanos()).unwrap_or(i32::MAX);
    // A second or more is never asked for.
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: nanoseconds.into(),
    };
    // SAFETY: the pointer is to a live timespec, and the time that is left is not asked for.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

/// Bytes that can be read from a pipe right now.
pub fn bytes_waiting(fd: &impl AsRawFd) -> io::Result<u64> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one int: ioctl_tty(2), pipe(7).
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// On each `signal`: sets `flag`, then writes one byte to `wake`, which must not block.
pub fn on_signal(signal: c_int, flag: Arc<AtomicBool>, wake: Arc<OwnedFd>) -> io::Result<()> {
    let action = move || {
        flag.store(true, Ordering::Relaxed);
        // SAFETY: write(2) of one byte from a static buffer. A full pipe means that the loop is
        // going to wake up anyway.
        unsafe { libc::write(wake.as_raw_fd(), b"!".as_ptr().cast(), 1) };
    };
    // SAFETY: a store and a write are async-signal-safe: signal-safety(7).
    unsafe { signal_hook::low_level::register(signal, action) }.map(drop)
}

/// Whether a variable of the environment begins with `prefix`. Copies nothing.
pub fn has_variable_with(prefix: &[u8]) -> bool {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: environ(7) ends with a null pointer, its entries are null-terminated, and nothing here changes it.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            if CStr::from_ptr(*entry).to_bytes().starts_with(prefix) {
                return true;
            }
            entry = entry.add(1);
        }
    }
    false
}
