// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Pseudo-terminals: pty(7), `ioctl_tty(2)`.

use super::check;
use super::descriptors::set_cloexec;
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::Termios;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Opens a pseudo-terminal, close-on-exec and blocking: (master, slave).
pub fn open_pty(rows: u16, cols: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    // No other thread can fork before the flags are set: there is none.
    let OpenptyResult { master, slave } = openpty(&size(rows, cols), None::<&Termios>)?;
    set_cloexec(master.as_raw_fd());
    set_cloexec(slave.as_raw_fd());
    Ok((master, slave))
}

/// Makes a terminal that no session has the controlling terminal of this session, and this process group the foreground
/// group: `TIOCSCTTY`. For the child.
pub fn set_controlling_terminal(terminal: BorrowedFd<'_>) -> io::Result<()> {
    #[allow(clippy::useless_conversion)] // an u32 on macOS
    let request = libc::TIOCSCTTY.into();
    // SAFETY: TIOCSCTTY takes an integer.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), request, 0) };
    check(result).map(drop)
}

/// Sets the size of a terminal: `TIOCSWINSZ`. When it changes, the foreground group gets SIGWINCH.
pub fn resize_terminal(terminal: &impl AsRawFd, rows: u16, cols: u16) -> io::Result<()> {
    let size = size(rows, cols);
    // SAFETY: TIOCSWINSZ reads one winsize.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

fn size(rows: u16, cols: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
