// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Pipes: pipe(2), pipe(7).

use super::check;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Creates a pipe, close-on-exec and blocking: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    return Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?);
    #[cfg(target_vendor = "apple")]
    {
        // No other thread can fork in between: there is none.
        let (reader, writer) = nix::unistd::pipe()?;
        super::descriptors::set_cloexec(reader.as_raw_fd());
        super::descriptors::set_cloexec(writer.as_raw_fd());
        Ok((reader, writer))
    }
}

/// Changes the capacity of a pipe: `F_SETPIPE_SZ`. Fails when it exceeds the limits of the user: pipe(7).
#[cfg(target_os = "linux")]
pub fn resize_pipe(fd: &impl AsFd, bytes: usize) -> nix::Result<()> {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)
}

/// The capacity is fixed elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn resize_pipe(_fd: &impl AsFd, _bytes: usize) -> nix::Result<()> {
    Err(nix::errno::Errno::ENOTSUP)
}

/// How many bytes are in a pipe: `FIONREAD`.
pub fn bytes_waiting(fd: &impl AsRawFd) -> io::Result<u64> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(u64::try_from(count).unwrap_or(0))
}
