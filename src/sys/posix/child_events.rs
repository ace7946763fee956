// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Deaths and stops of children as a descriptor: a pipe to which the handler of SIGCHLD writes.

use crate::reactor::set_nonblocking;
use crate::sys::system::pipe;
use crate::sys::{SignalMask, check};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// Where the handler writes.
static WRITER: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note_child(_signal: c_int) {
    let fd = WRITER.load(Ordering::Relaxed);
    if fd >= 0 {
        let errno = nix::errno::Errno::last_raw();
        // A full pipe means that the reader is going to wake up anyway.
        // SAFETY: the buffer is static and has one byte.
        unsafe { libc::write(fd, b"!".as_ptr().cast(), 1) };
        nix::errno::Errno::set_raw(errno);
    }
}

/// Readable after a child has died or was stopped. All other signals are blocked meanwhile.
#[derive(Debug)]
pub struct ChildEvents {
    reader: OwnedFd,
    _writer: OwnedFd,
}

impl ChildEvents {
    pub fn open() -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        set_nonblocking(&reader)?;
        set_nonblocking(&writer)?;
        WRITER.store(writer.as_raw_fd(), Ordering::Relaxed);
        // SAFETY: plain old data, for which all zeroes is a valid value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = note_child as extern "C" fn(c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the handler makes only async-signal-safe calls, and keeps errno.
        check(unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) })?;
        SignalMask::all_but([libc::SIGCHLD]).set()?;
        Ok(Self {
            reader,
            _writer: writer,
        })
    }

    /// Takes the events so far.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!(nix::unistd::read(&self.reader, &mut bytes), Ok(count) if count == bytes.len())
        {
        }
    }

    /// For a fork of this process, before it closes the descriptor, whose number another file may get.
    #[allow(clippy::unused_self)]
    pub fn detach(&self) {
        WRITER.store(-1, Ordering::Relaxed);
    }
}

impl AsFd for ChildEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
