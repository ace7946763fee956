// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! FreeBSD.

use crate::sys::{Counters, Process, check};
use nix::sys::termios::Termios;
use std::ffi::{CStr, c_int, c_uint};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

pub use super::posix::*;

/// Bytes in one unit of `ru_maxrss`: getrusage(2).
pub const MAXRSS_UNIT: u64 = 1024;

/// Makes this process the parent of orphans among its descendants: `PROC_REAP_ACQUIRE`, procctl(2).
pub fn become_subreaper() -> io::Result<()> {
    let none = std::ptr::null_mut();
    // SAFETY: this command takes no data.
    let result = unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_REAP_ACQUIRE, none) };
    match check(result) {
        // It is one already.
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(()),
        result => result.map(drop),
    }
}

/// Whether [`set_parent_death_signal`] does something.
pub const HAS_PARENT_DEATH_SIGNAL: bool = true;

/// Has the kernel send `signal` to this process when its parent dies: `PROC_PDEATHSIG_CTL`, procctl(2). For the child.
pub fn set_parent_death_signal(signal: c_int) -> io::Result<()> {
    let mut signal = signal;
    let data = (&raw mut signal).cast();
    // SAFETY: the data is a live integer.
    check(unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_PDEATHSIG_CTL, data) }).map(drop)
}

/// `struct procctl_reaper_kill` of `sys/procctl.h`, which libc does not have.
#[repr(C)]
struct ReaperKill {
    signal: c_int,
    flags: c_uint,
    subtree: libc::pid_t,
    killed: c_uint,
    first_failed: libc::pid_t,
    padding: [c_uint; 15],
}

/// Kills all descendants of this process, which is a subreaper, also those that they fork meanwhile: `PROC_REAP_KILL`,
/// procctl(2). An error if it may kill none of them.
pub fn kill_descendants() -> io::Result<()> {
    let mut kill = ReaperKill {
        signal: libc::SIGKILL,
        flags: 0, // not only children, and not only one subtree
        subtree: 0,
        killed: 0,
        first_failed: 0,
        padding: [0; 15],
    };
    let data = (&raw mut kill).cast();
    // SAFETY: the data is a live, writable structure of the size that the kernel expects.
    check(unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_REAP_KILL, data) }).map(drop)
}

/// Creates a pipe, close-on-exec and blocking: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// The flag is not in libc yet.
pub fn expect_utf8(_modes: &mut Termios) {}

/// The pid and the uid of the peer of a Unix socket: `LOCAL_PEERCRED`, unix(4), since FreeBSD 13.
pub fn peer_of(socket: BorrowedFd<'_>) -> io::Result<(i32, u32)> {
    // SAFETY: plain old data, for which all zeroes is a valid value.
    let mut peer: libc::xucred = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut size = libc::socklen_t::try_from(size_of::<libc::xucred>()).unwrap_or(0);
    // SAFETY: both pointers are to live, writable values, and `size` is that of the first.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            0,
            libc::LOCAL_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    })?;
    // SAFETY: the other member is only padding.
    let pid = unsafe { peer.cr_pid__c_anonymous_union.cr_pid };
    Ok((pid, peer.cr_uid))
}

/// Reads entries of the process table: `kern.proc`, sysctl(3).
fn table(what: c_int, argument: c_int) -> io::Result<Vec<libc::kinfo_proc>> {
    let mib = [libc::CTL_KERN, libc::KERN_PROC, what, argument];
    let unit = size_of::<libc::kinfo_proc>();
    let mut entries = Vec::<libc::kinfo_proc>::new();
    loop {
        let mut size = 0;
        sysctl(&mib, std::ptr::null_mut(), &mut size)?;
        // The table may grow meanwhile.
        entries.reserve_exact(size / unit + 32);
        let mut size = entries.capacity() * unit;
        match sysctl(&mib, entries.as_mut_ptr(), &mut size) {
            Ok(()) => {
                // SAFETY: the kernel has filled in as many bytes, and all bits are valid.
                unsafe { entries.set_len(size / unit) };
                return Ok(entries);
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
}

fn sysctl(mib: &[c_int; 4], entries: *mut libc::kinfo_proc, size: &mut usize) -> io::Result<()> {
    // SAFETY: the kernel writes at most `size` bytes, which the buffer has, or none without one.
    let result = unsafe {
        libc::sysctl(
            mib.as_ptr(),
            4,
            entries.cast(),
            &raw mut *size,
            std::ptr::null(),
            0,
        )
    };
    check(result).map(drop)
}

fn entry(pid: i32) -> io::Result<libc::kinfo_proc> {
    let found = table(libc::KERN_PROC_PID, pid)?.into_iter().next();
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// The pids of all processes, zombies included.
#[derive(Debug)]
pub struct ProcessList;

impl ProcessList {
    #[allow(clippy::unnecessary_wraps)]
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self)]
    pub fn pids(&self) -> io::Result<Vec<i32>> {
        let entries = table(libc::KERN_PROC_PROC, 0)?;
        Ok(entries.iter().map(|entry| entry.ki_pid).collect())
    }
}

/// Reads about the process that has this pid at present.
pub fn read_process(pid: i32) -> io::Result<Process> {
    let info = entry(pid)?;
    Ok(Process {
        pid,
        ppid: info.ki_ppid,
        group: info.ki_pgid,
        state: match c_int::from(info.ki_stat) {
            STOPPED => b'T',
            ZOMBIE => b'Z',
            _ => b'S',
        },
        threads: 1,
        started: u64::try_from(info.ki_start.tv_sec)
            .unwrap_or(0)
            .saturating_mul(1_000_000)
            .saturating_add(u64::try_from(info.ki_start.tv_usec).unwrap_or(0)),
        is_before_exec: false,
    })
}

/// `SSTOP` and `SZOMB` of `sys/proc.h`.
const STOPPED: c_int = 4;
const ZOMBIE: c_int = 5;

/// The name of a process's program.
pub fn process_name(pid: i32) -> io::Result<Vec<u8>> {
    let info = entry(pid)?;
    // SAFETY: the name is null-terminated.
    let name = unsafe { CStr::from_ptr(info.ki_comm.as_ptr()) };
    Ok(name.to_bytes().to_vec())
}

/// What a process uses at present.
pub fn read_counters(pid: i32) -> io::Result<Counters> {
    let info = entry(pid)?;
    // SAFETY: takes no pointer.
    let page_bytes = u64::try_from(unsafe { libc::getpagesize() }).unwrap_or(0);
    Ok(Counters {
        cpu_us: info.ki_runtime,
        memory_bytes: u64::try_from(info.ki_rssize)
            .unwrap_or(0)
            .saturating_mul(page_bytes),
    })
}
