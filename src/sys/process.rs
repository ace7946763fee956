// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A process of the system.

use super::system::{Entry, ProcessList, read_process};
use std::io;

/// A pid and the start time of its process, which no later process with the same pid shares.
pub type ProcessId = (i32, u64);

/// A process, as the process table describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub pid: i32,
    pub ppid: i32,
    /// Process group.
    pub group: i32,
    /// State letter of `/proc`: that of the first thread.
    pub state: u8,
    /// Number of threads, a dead first thread included.
    pub threads: u32,
    /// Start time: on Linux in clock ticks since boot, elsewhere in microseconds since 1970.
    pub started: u64,
    /// On Linux, whether it has not executed a program since its fork.
    pub is_before_exec: bool,
}

impl Process {
    /// Reads about the process that has this pid at present.
    pub fn find(pid: i32) -> io::Result<Self> {
        read_process(pid)
    }

    /// Identifies the process for good.
    pub fn id(&self) -> ProcessId {
        (self.pid, self.started)
    }

    /// Sends a signal to it, and not to a later process with the same pid.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let entry = Entry::open(self.pid)?;
        if entry.stat()?.started != self.started {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        entry.signal(self, signal)
    }

    /// Whether it is a zombie. The state alone does not tell: it is that of a zombie, too, when the first thread has
    /// ended and others run on.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }

    /// Whether it cannot fork: it is stopped or in an uninterruptible wait. That of a process without a first
    /// thread is unknown, and assumed.
    pub fn cannot_fork(&self) -> bool {
        matches!(self.state, b'T' | b't' | b'D' | b'Z' | b'X' | b'x')
    }
}

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// CPU time of the process and, where the system counts it, of the children that it has waited for; microseconds.
    pub cpu_us: u64,
    /// Resident memory.
    pub memory_bytes: u64,
}

/// All live processes.
pub fn live_processes() -> io::Result<Vec<Process>> {
    let pids = ProcessList::open()?.pids()?.into_iter();
    let found = pids.filter_map(|pid| Process::find(pid).ok());
    Ok(found.filter(|process| !process.is_dead()).collect())
}
