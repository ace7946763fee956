// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Pipes: pipe(2), pipe(7).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Creates a pipe, close-on-exec and blocking: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// Changes the capacity of a pipe: `F_SETPIPE_SZ`. Fails when it exceeds the limits of the user: pipe(7).
pub fn resize_pipe(fd: &impl AsFd, bytes: usize) -> nix::Result<()> {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)
}
