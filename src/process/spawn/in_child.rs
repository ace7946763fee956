// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The child between fork and exec. Nothing here allocates, locks or panics: only async-signal-safe calls
//! (signal-safety(7)) on memory that was prepared before the fork.
#![allow(unsafe_code)]

use crate::process::step::ChildStep;
use crate::sys::{self, Permit};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd, RawFd};

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

/// How a child is created.
#[derive(Clone, Copy, Debug)]
pub enum Creation<'a> {
    /// It shares this process's memory until its exec.
    SharingMemory,
    Fork,
    /// A fork into the cgroup v2 of this directory.
    ForkInto(BorrowedFd<'a>),
    /// In that cgroup, it shares this process's memory until its exec.
    SharingMemoryIn(BorrowedFd<'a>),
}

/// A child that was created.
#[derive(Debug)]
pub struct Created {
    pub pid: i32,
    /// The pipe to which it writes a [`ChildError`].
    pub report: OwnedFd,
    /// Whether it came to its exec, if it shared memory and is done with it.
    pub came_to_exec: Option<bool>,
}

/// Starts a child that runs `steps`.
pub fn start(steps: &[ChildStep<'_>], creation: Creation<'_>) -> io::Result<Created> {
    let (reader, writer) = sys::pipe()?;
    let child = Child {
        steps,
        report: writer.as_raw_fd(),
        permit: Permit::default(),
    };
    let mut came_to_exec = None;
    let pid = match creation {
        Creation::SharingMemory => child.start_in_shared_memory()?,
        Creation::Fork => child.unless_child(sys::fork()?),
        Creation::ForkInto(directory) => child.unless_child(sys::fork_into(directory)?),
        Creation::SharingMemoryIn(directory) => {
            let pid = child.start_in_shared_memory_in(directory, (reader.as_fd(), writer))?;
            came_to_exec = Some(!child.permit.take());
            pid
        }
    };
    Ok(Created {
        pid,
        report: reader,
        came_to_exec,
    })
}

struct Child<'a> {
    steps: &'a [ChildStep<'a>],
    report: RawFd,
    permit: Permit,
}

impl Child<'_> {
    /// Runs in the child, for which there is no pid.
    fn unless_child(&self, pid: Option<i32>) -> i32 {
        pid.unwrap_or_else(|| self.run())
    }

    fn start_in_shared_memory(&self) -> io::Result<i32> {
        // SAFETY: the entry never returns, and the steps that run here change nothing in memory.
        unsafe { sys::start_child(Self::entry, self.argument()) }
    }

    /// Fails, too, if the child took too long.
    fn start_in_shared_memory_in(
        &self,
        directory: BorrowedFd<'_>,
        report: (BorrowedFd<'_>, OwnedFd),
    ) -> io::Result<i32> {
        let (entry, argument) = (Self::entry, self.argument());
        // SAFETY: as above. All signals are blocked, and the child takes the permit.
        let started =
            unsafe { sys::start_child_in(directory, entry, argument, report, &self.permit) };
        let (pid, is_late) = started?;
        if is_late {
            // It is about to end, so this does not block for long.
            let _ = waitpid(Pid::from_raw(pid), None);
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(pid)
    }

    /// The argument of [`Self::entry`].
    fn argument(&self) -> *mut libc::c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    extern "C" fn entry(child: *mut libc::c_void) -> libc::c_int {
        // SAFETY: it is a reference that outlives the child's use of it: the parent waits for the exec.
        unsafe { (*child.cast_const().cast::<Child<'_>>()).run() }
    }

    fn run(&self) -> ! {
        for (index, step) in (0..=u8::MAX).zip(self.steps) {
            if matches!(step, ChildStep::Exec { .. }) && !self.permit.take() {
                break;
            }
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
