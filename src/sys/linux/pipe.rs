// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Pipes: pipe(2), pipe(7).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Creates a pipe, close-on-exec and blocking: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// The capacity of a pipe in bytes: `F_GETPIPE_SZ`. The program may change it, as any process with one of its ends: fcntl(2).
pub fn pipe_size(fd: &impl AsFd) -> nix::Result<usize> {
    let bytes = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETPIPE_SZ)?;
    usize::try_from(bytes).map_err(|_| nix::errno::Errno::EINVAL)
}

/// Gives the whole pages in `bytes` back to the kernel. What they held is lost: they read as zeroes.
pub fn release_pages(bytes: &mut [u8]) {
    let page = super::sysconf::page_bytes().ok();
    let Some(page) = page.and_then(|page| usize::try_from(page).ok()) else {
        return;
    };
    let begin = bytes.as_ptr().align_offset(page).min(bytes.len());
    let size = (bytes.len() - begin) / page * page;
    let pages = &mut bytes[begin..begin + size];
    // SAFETY: these are whole pages, and they are borrowed mutably. Any value of them is valid.
    unsafe { libc::madvise(pages.as_mut_ptr().cast(), size, libc::MADV_DONTNEED) };
}
