// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The child between fork and exec. Nothing here allocates, locks or panics: only async-signal-safe calls
//! (signal-safety(7)) on memory that was prepared before the fork.
#![allow(unsafe_code)]

use crate::process::step::ChildStep;
use crate::sys;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Exit status of a child that was not exec'ed. The parent reads the report instead.
const NOT_EXECUTED: libc::c_int = 127;

/// Why the child was not exec'ed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildError {
    /// The index of the step that failed.
    pub step: u8,
    pub errno: i32,
}

impl ChildError {
    pub const SIZE: usize = 5;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let [a, b, c, d] = self.errno.to_ne_bytes();
        [self.step, a, b, c, d]
    }

    pub fn from_bytes([step, a, b, c, d]: [u8; Self::SIZE]) -> Self {
        let errno = i32::from_ne_bytes([a, b, c, d]);
        Self { step, errno }
    }
}

/// Starts a child that runs `steps`. Returns its pid, and the pipe to which it writes a [`ChildError`].
pub fn start(steps: &[ChildStep<'_>], shares_memory: bool) -> io::Result<(i32, OwnedFd)> {
    let (reader, writer) = sys::pipe()?;
    let child = Child {
        steps,
        report: writer.as_raw_fd(),
    };
    let pid = if shares_memory {
        child.start_in_shared_memory()?
    } else {
        child.fork()?
    };
    Ok((pid, reader))
}

struct Child<'a> {
    steps: &'a [ChildStep<'a>],
    report: RawFd,
}

impl Child<'_> {
    fn fork(&self) -> io::Result<i32> {
        match sys::fork()? {
            Some(pid) => Ok(pid),
            None => self.run(),
        }
    }

    fn start_in_shared_memory(&self) -> io::Result<i32> {
        extern "C" fn entry(child: *mut libc::c_void) -> libc::c_int {
            // SAFETY: it is the reference below, which outlives the child's use of it: the parent waits for the exec.
            unsafe { (*child.cast_const().cast::<Child<'_>>()).run() }
        }
        let argument = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the entry never returns, and the steps that run here change nothing in memory.
        unsafe { sys::start_child(entry, argument) }
    }

    fn run(&self) -> ! {
        for (index, step) in (0..=u8::MAX).zip(self.steps) {
            if let Err(error) = step.run() {
                self.report(index, &error);
                break;
            }
        }
        // SAFETY: _exit runs no destructors and no exit handlers.
        unsafe { libc::_exit(NOT_EXECUTED) }
    }

    fn report(&self, step: u8, error: &io::Error) {
        let errno = error.raw_os_error().unwrap_or(0);
        let bytes = ChildError { step, errno }.to_bytes();
        // SAFETY: the buffer is live and has as many bytes.
        unsafe { libc::write(self.report, bytes.as_ptr().cast(), bytes.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_pipe() {
        let error = ChildError {
            step: 3,
            errno: libc::EACCES,
        };
        assert_eq!(ChildError::from_bytes(error.to_bytes()), error);
    }
}
