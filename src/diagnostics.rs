// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Messages on stderr.
//!
//! A message must not delay or prevent the end of a program. stderr may be a pipe that is not read, a stopped
//! terminal, or a file on a full disk, so a message that cannot be written without blocking is dropped.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{isatty, write};
use std::fmt::Display;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// Writes a line, after the prefix `muontrap: `.
pub fn say(message: impl Display) {
    say_lines(format!("muontrap: {message}\n"));
}

/// Writes complete lines, without a prefix.
pub fn say_lines(text: String) {
    // poll(2) reports a pipe as writable when it has room for this much: pipe(7).
    let mut bytes = text.into_bytes();
    if bytes.len() > libc::PIPE_BUF {
        bytes.truncate(libc::PIPE_BUF - 1);
        bytes.push(b'\n');
    }
    #[allow(clippy::disallowed_methods)] // this is the place
    let stderr = std::io::stderr();
    let fd = stderr.as_fd();
    match reopened(fd) {
        Some(file) => write_at_once(file.as_fd(), &bytes),
        None => write_at_once(fd, &bytes),
    }
}

/// Opens the pipe or terminal of stderr once more, non-blocking.
///
/// Another process may fill it between poll(2) and write(2), which then would block, and `O_NONBLOCK` on stderr itself
/// would affect all processes that share it. Sockets and pipes of other users cannot be opened so.
fn reopened(stderr: BorrowedFd<'_>) -> Option<File> {
    let mode = SFlag::from_bits_truncate(fstat(stderr).ok()?.st_mode) & SFlag::S_IFMT;
    if mode != SFlag::S_IFIFO && !isatty(stderr).unwrap_or(false) {
        return None;
    }
    let mut options = File::options();
    options.write(true);
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open("/proc/self/fd/2").ok()
}

fn write_at_once(fd: BorrowedFd<'_>, bytes: &[u8]) {
    let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
    if poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0) {
        let _ = write(fd, bytes);
    }
}
