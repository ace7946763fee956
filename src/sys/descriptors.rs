// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! File descriptors: fcntl(2), `close_range(2)`, flock(2), read(2).

use super::check;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Opens `/dev/null` as each of the descriptors 0 to 2 that is closed, so that no other file becomes one of them.
///
/// The standard library does the same before its own `main`. Without `/dev/null` they stay closed.
pub fn open_standard_fds() {
    for fd in 0..=2 {
        // SAFETY: F_GETFD takes no pointers.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            // open(2) returns the lowest descriptor that is free, which is `fd`.
            // SAFETY: the path is a null-terminated string.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
}

/// Sets close-on-exec on all descriptors above 2, so that the program inherits none that muontrap inherited.
pub fn cloexec_from_3() {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    in_range(3..RawFd::MAX, CLOSE_RANGE_CLOEXEC, set_cloexec);
}

/// Closes all descriptors above 2 but these, which are above 2, too.
///
/// For a copy of a process that leaks all that owns the others.
pub fn close_all_but<const COUNT: usize>(mut kept: [RawFd; COUNT]) {
    kept.sort_unstable();
    let ends = kept.iter().copied().chain([RawFd::MAX]);
    let starts = [3].into_iter().chain(kept.iter().map(|fd| fd + 1));
    for range in starts.zip(ends).map(|(start, end)| start..end) {
        in_range(range, 0, |fd| {
            // SAFETY: close takes no pointers, and nothing uses the descriptor any more, as the caller knows.
            unsafe { libc::close(fd) };
        });
    }
}

/// Has the kernel do to a range of descriptors what `flags` say: `close_range(2)`. Without such a system call, `each`
/// does it to each of them.
fn in_range(range: Range<RawFd>, flags: libc::c_uint, each: impl Fn(RawFd)) {
    if range.is_empty() || super::system::close_range(&range, flags).is_ok() {
        return;
    }
    for directory in ["/proc/self/fd", "/dev/fd"] {
        if let Ok(entries) = std::fs::read_dir(directory) {
            let fds = entries
                .flatten()
                .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            let fds: Vec<RawFd> = fds.filter(|fd| range.contains(fd)).collect();
            fds.into_iter().for_each(each);
            return;
        }
    }
    range.take_while(|&fd| fd < 1024).for_each(each);
}

pub(super) fn set_cloexec(fd: RawFd) {
    // SAFETY: F_SETFD takes an integer, and fails with EBADF when the descriptor is not open.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Borrows a descriptor that this process inherited. Fails with `EBADF` when it is not open.
pub fn borrow_fd(fd: RawFd) -> io::Result<BorrowedFd<'static>> {
    // SAFETY: F_GETFD takes no pointers.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    // SAFETY: it is open, and nothing closes a descriptor that it does not own.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Duplicates a descriptor that this process inherited: close-on-exec and above 2.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    borrow_fd(fd)?.try_clone_to_owned()
}

/// Makes `to` a duplicate of `from` that the program inherits: dup2(2). For the child.
pub fn redirect(from: RawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: dup2 takes no pointers, and `to` is not owned by anything in the child.
    check(unsafe { libc::dup2(from, to) }).map(drop)
}

/// Whether both descriptors lead to the same regular file: fstat(2). For the child.
pub fn is_same_file(one: RawFd, other: RawFd) -> bool {
    let status = |fd| -> Option<FileStat> {
        // SAFETY: both are open standard descriptors of the child, which closes none of them.
        fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()
    };
    let is_regular = |mode| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    status(one).zip(status(other)).is_some_and(|(one, other)| {
        is_regular(one.st_mode) && (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
    })
}

/// Tries to take a lock, shared or exclusive, which lasts until the open file is closed: flock(2). Returns `false` when another
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

/// Appends to `bytes` what one read(2) gives, within `limit` and the spare capacity, and returns how much that was.
pub fn read_to_spare(fd: &impl AsFd, bytes: &mut Vec<u8>, limit: usize) -> nix::Result<usize> {
    let spare = bytes.spare_capacity_mut();
    let room = spare.len().min(limit);
    // SAFETY: the kernel writes at most `room` bytes, which the spare capacity has.
    let count = unsafe { libc::read(fd.as_fd().as_raw_fd(), spare.as_mut_ptr().cast(), room) };
    let count = nix::errno::Errno::result(count)?.unsigned_abs();
    // SAFETY: the kernel initialized `count` bytes after the previous ones.
    unsafe { bytes.set_len(bytes.len() + count) };
    Ok(count)
}

/// Permission bits. The type of `mode_t` differs between systems.
#[allow(clippy::useless_conversion)]
pub fn permissions(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits.try_into().unwrap_or(0))
}
