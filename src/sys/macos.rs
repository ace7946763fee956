// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! macOS.

use crate::sys::{Counters, Process, check};
use nix::sys::termios::{InputFlags, Termios};
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub use super::posix::*;

/// Bytes in one unit of `ru_maxrss`: getrusage(2).
pub const MAXRSS_UNIT: u64 = 1;

/// Creates a pipe, close-on-exec and blocking: (read end, write end). No other thread can fork in between: there is
/// none.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = nix::unistd::pipe()?;
    crate::sys::descriptors::set_cloexec(reader.as_raw_fd());
    crate::sys::descriptors::set_cloexec(writer.as_raw_fd());
    Ok((reader, writer))
}

/// Has the terminal erase whole characters of UTF-8.
pub fn expect_utf8(modes: &mut Termios) {
    modes.input_flags.insert(InputFlags::IUTF8);
}

/// The pid and the uid of the peer of a Unix socket: `LOCAL_PEERPID`, getpeereid(3).
pub fn peer_of(socket: BorrowedFd<'_>) -> io::Result<(i32, u32)> {
    let fd = socket.as_raw_fd();
    let (mut pid, mut uid, mut gid) = (0, 0, 0);
    let mut size = libc::socklen_t::try_from(size_of::<libc::pid_t>()).unwrap_or(0);
    let pointer = (&raw mut pid).cast::<c_void>();
    // SAFETY: all pointers are to live, writable values, and `size` is that of the pid.
    unsafe {
        check(libc::getsockopt(
            fd,
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            pointer,
            &raw mut size,
        ))?;
        check(libc::getpeereid(fd, &raw mut uid, &raw mut gid))?;
    }
    Ok((pid, uid))
}

/// The pids of all processes: libproc.
#[derive(Debug)]
pub struct ProcessList;

impl ProcessList {
    #[allow(clippy::unnecessary_wraps)]
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self)]
    pub fn pids(&self) -> io::Result<Vec<i32>> {
        let mut pids = vec![0_i32; 1024];
        loop {
            let room = c_int::try_from(size_of_val(&pids[..])).unwrap_or(c_int::MAX);
            // SAFETY: the kernel writes at most `room` bytes, which the buffer has.
            let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), room) };
            let count = usize::try_from(count).unwrap_or(0);
            if count == 0 {
                return Err(io::Error::last_os_error());
            }
            if count < pids.len() {
                pids.truncate(count);
                pids.retain(|pid| *pid > 0);
                return Ok(pids);
            }
            pids.resize(2 * count, 0);
        }
    }
}

/// One of the structures that `proc_pidinfo` fills in.
fn info_of<T>(pid: i32, flavor: c_int) -> io::Result<T> {
    let mut info = MaybeUninit::<T>::zeroed();
    let size = c_int::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the kernel writes at most `size` bytes, which the value has.
    let filled = unsafe { libc::proc_pidinfo(pid, flavor, 0, info.as_mut_ptr().cast(), size) };
    if filled == size {
        // SAFETY: the kernel has filled it in, and all bits are valid.
        Ok(unsafe { info.assume_init() })
    } else {
        let error = io::Error::last_os_error();
        // Zombies, too.
        Err(match error.raw_os_error() {
            Some(0) | None => io::Error::from_raw_os_error(libc::ESRCH),
            Some(_) => error,
        })
    }
}

/// Reads about the process that has this pid at present: `PROC_PIDTBSDINFO`.
pub fn read_process(pid: i32) -> io::Result<Process> {
    let info: libc::proc_bsdinfo = info_of(pid, libc::PROC_PIDTBSDINFO)?;
    let number = |value: u32| i32::try_from(value).unwrap_or(0);
    Ok(Process {
        pid,
        ppid: number(info.pbi_ppid),
        group: number(info.pbi_pgid),
        state: match info.pbi_status {
            libc::SSTOP => b'T',
            libc::SZOMB => b'Z',
            _ => b'S',
        },
        threads: 1,
        started: info
            .pbi_start_tvsec
            .saturating_mul(1_000_000)
            .saturating_add(info.pbi_start_tvusec),
        is_before_exec: false,
    })
}

/// The name of a process's program: `proc_name`.
pub fn process_name(pid: i32) -> io::Result<Vec<u8>> {
    let mut name = [0_u8; 64];
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let length = unsafe { libc::proc_name(pid, name.as_mut_ptr().cast(), 64) };
    match usize::try_from(length) {
        Ok(length @ 1..) => Ok(name[..length.min(name.len())].to_vec()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a process uses at present: `PROC_PIDTASKINFO`.
pub fn read_counters(pid: i32) -> io::Result<Counters> {
    let info: libc::proc_taskinfo = info_of(pid, libc::PROC_PIDTASKINFO)?;
    let units = info.pti_total_user.saturating_add(info.pti_total_system);
    Ok(Counters {
        cpu_us: microseconds_of(units),
        memory_bytes: info.pti_resident_size,
    })
}

/// The kernel counts in units of its own: `mach_timebase_info`.
#[allow(deprecated)] // in favour of another crate
fn microseconds_of(units: u64) -> u64 {
    let mut base = libc::mach_timebase_info { numer: 0, denom: 0 };
    // SAFETY: the pointer is to a live, writable structure.
    unsafe { libc::mach_timebase_info(&raw mut base) };
    let nanoseconds = u128::from(units) * u128::from(base.numer) / u128::from(base.denom.max(1));
    u64::try_from(nanoseconds / 1000).unwrap_or(u64::MAX)
}

/// Readable after a fork or the end of one of its processes: kqueue(2), `EVFILT_PROC`.
#[derive(Debug)]
pub struct ForkWatch(OwnedFd);

impl ForkWatch {
    pub fn open() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = check(unsafe { libc::kqueue() })?;
        crate::sys::descriptors::set_cloexec(fd);
        // SAFETY: it was just opened, and nothing else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches a process.
    pub fn add(&self, pid: i32) -> io::Result<()> {
        let change = libc::kevent {
            ident: usize::try_from(pid).unwrap_or(0),
            filter: libc::EVFILT_PROC,
            flags: libc::EV_ADD | libc::EV_CLEAR,
            fflags: libc::NOTE_FORK | libc::NOTE_EXIT,
            data: 0,
            udata: std::ptr::null_mut(),
        };
        self.kevent(&[change], &mut []).map(drop)
    }

    /// Takes the events so far, and returns whether there were any.
    pub fn clear(&self) -> bool {
        let none = libc::kevent {
            ident: 0,
            filter: 0,
            flags: 0,
            fflags: 0,
            data: 0,
            udata: std::ptr::null_mut(),
        };
        let mut events = [none; 32];
        let mut any = false;
        while let Ok(count @ 1..) = self.kevent(&[], &mut events) {
            any = true;
            if count < events.len() {
                break;
            }
        }
        any
    }

    fn kevent(&self, changes: &[libc::kevent], events: &mut [libc::kevent]) -> io::Result<usize> {
        let now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let length = |number: usize| c_int::try_from(number).unwrap_or(0);
        // SAFETY: both lists are live and have as many entries.
        let count = check(unsafe {
            libc::kevent(
                self.0.as_raw_fd(),
                changes.as_ptr(),
                length(changes.len()),
                events.as_mut_ptr(),
                length(events.len()),
                &raw const now,
            )
        })?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

impl AsFd for ForkWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
