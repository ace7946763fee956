// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Other processes: whether they are children, who is listed, and signals.

use super::check;
use nix::errno::Errno;
use std::ffi::c_int;
use std::io;
use std::os::fd::BorrowedFd;

/// Whether this process has any child, dead or alive. Only `ECHILD` says that it has none.
pub fn has_children() -> io::Result<bool> {
    has_child_of(libc::P_ALL, 0)
}

/// Whether this is the pid of a child, dead or alive. Until the child was waited for, nobody else gets
/// that pid.
pub fn is_child(pid: i32) -> io::Result<bool> {
    let Ok(id) = libc::id_t::try_from(pid) else {
        return Ok(false);
    };
    has_child_of(libc::P_PID, id)
}

fn has_child_of(kind: libc::idtype_t, id: libc::id_t) -> io::Result<bool> {
    // SAFETY: siginfo_t is plain old data, for which all zeroes is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    loop {
        // SAFETY: the pointer is to a live, writable siginfo_t.
        match Errno::result(unsafe { libc::waitid(kind, id, &raw mut info, options) }) {
            Ok(_) => return Ok(true),
            Err(Errno::ECHILD) => return Ok(false),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Sends a signal to one process, or to a process group when `pid` is negative.
///
/// Takes a number, not a name, so that real-time signals work too.
pub fn kill(pid: i32, signal: c_int) -> io::Result<()> {
    // SAFETY: kill takes no pointers.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Sends a signal to the process whose directory in `/proc` this is, and to no later one of its pid:
/// `pidfd_send_signal(2)`, since Linux 5.1.
#[cfg(target_os = "linux")]
pub fn kill_by_directory(directory: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let none = std::ptr::null::<libc::siginfo_t>();
    let fd = directory.as_raw_fd();
    // SAFETY: without a siginfo_t, no memory is read.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, 0) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// There is no such thing elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn kill_by_directory(_directory: BorrowedFd<'_>, _signal: c_int) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The names in a directory that are numbers, without opening anything.
#[cfg(target_os = "linux")]
pub fn numbers_in(directory: BorrowedFd<'_>) -> io::Result<Vec<i32>> {
    use std::os::fd::AsRawFd;
    let fd = directory.as_raw_fd();
    let mut buffer = [0_u8; 16 * 1024];
    let mut found = Vec::new();
    // SAFETY: lseek takes no pointers.
    check_offset(unsafe { libc::lseek(fd, 0, libc::SEEK_SET) })?;
    loop {
        let room = buffer.len();
        // SAFETY: the kernel writes at most `room` bytes, which the buffer has.
        let result = unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), room) };
        let filled = usize::try_from(Errno::result(result)?).unwrap_or(0);
        if filled == 0 {
            return Ok(found);
        }
        numbers_of_entries(&buffer[..filled], &mut found);
    }
}

/// There is no `/proc` to list elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn numbers_in(_directory: BorrowedFd<'_>) -> io::Result<Vec<i32>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn check_offset(result: libc::off_t) -> io::Result<()> {
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// Reads records of `getdents64(2)`: after inode and offset, of 8 bytes each, comes the record's length,
/// 2 bytes, then a type of 1 and the name with a null byte at its end.
#[cfg(target_os = "linux")]
fn numbers_of_entries(mut records: &[u8], found: &mut Vec<i32>) {
    while let Some(&[low, high]) = records.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some(name) = records.get(19..length) else {
            return;
        };
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let number = std::str::from_utf8(name).ok();
        found.extend(number.and_then(|name| name.parse::<i32>().ok()));
        records = &records[length..];
    }
}

/// The effective capabilities of this process as a set of bits: capget(2).
#[cfg(target_os = "linux")]
pub fn effective_capabilities() -> io::Result<u64> {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3, 0];
    // Effective, permitted and inheritable, first the low halves of all, then the high ones.
    let mut sets = [0_u32; 6];
    // SAFETY: both arrays have the size of what the kernel writes for this version.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    Errno::result(result)?;
    Ok(u64::from(sets[0]) | u64::from(sets[3]) << 32)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    #[test]
    fn a_directory_can_be_listed_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..2000 {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
            fs::write(folder.path().join(format!("x{number}")), "").unwrap();
        }
        let directory = File::open(folder.path()).unwrap();
        for _ in 0..2 {
            let mut numbers = numbers_in(directory.as_fd()).unwrap();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..2000).collect::<Vec<i32>>());
        }
    }

    #[test]
    fn no_child_is_one_only_after_it_was_waited_for() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(is_child(pid).unwrap());
        assert!(has_children().unwrap());
        child.wait().unwrap();
        assert!(!is_child(pid).unwrap());
        assert!(!is_child(-1).unwrap());
    }

    proptest! {
        #[test]
        fn no_records_make_it_panic_or_hang(records in proptest::collection::vec(any::<u8>(), 0..200)) {
            numbers_of_entries(&records, &mut Vec::new());
        }
    }
}
