// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A process that is identified by its pid and its start time.

use crate::sys::{Process, kill};
use std::io;

/// A process. Reads and signals do not reach a later process with the same pid, but for the moment between the
/// comparison of the start time and the signal.
#[derive(Debug)]
pub struct Entry(Process);

impl Entry {
    /// The process that has this pid at present.
    pub fn open(pid: i32) -> io::Result<Self> {
        Process::find(pid).map(Self)
    }

    /// Reads about it.
    pub fn stat(&self) -> io::Result<Process> {
        let now = Process::find(self.0.pid)?;
        if now.started == self.0.started {
            Ok(now)
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    }

    /// Its children are only in the whole process table.
    #[allow(clippy::unused_self)]
    pub fn children(&self, _threads: u32) -> io::Result<Vec<i32>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends a signal to it.
    pub fn signal(&self, _process: &Process, signal: i32) -> io::Result<()> {
        self.stat()?;
        kill(self.0.pid, signal)
    }
}
