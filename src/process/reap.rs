// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Reaping dead children without blocking.

use crate::sys::{self, Waited};
use std::io;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Exited(u8),
    /// This signal killed it.
    Signaled(u8),
}

impl Ending {
    /// The exit status a shell would report: 128 + n for signal n.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(number) => 128u8.saturating_add(number),
        }
    }
}

/// The death of the program, as wait4(2) reports it.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// How it ended.
    pub ending: Ending,
    /// Whether it dumped core.
    pub core_dumped: bool,
    /// Its resource usage.
    pub waited: Waited,
}

/// Reaps all dead children. Returns the death of `program` if it is among them, and calls `each` for the others.
///
/// All of them each time: SIGCHLD is not queued, and a subreaper gets children that it did not start.
pub fn reap(program: i32, mut each: impl FnMut(i32)) -> io::Result<Option<Death>> {
    let mut death = None;
    loop {
        match sys::wait_any() {
            Ok(Some(waited)) if waited.pid == program => death = Some(decode(waited)),
            Ok(Some(waited)) => each(waited.pid),
            Ok(None) => return Ok(death),
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(death),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn decode(waited: Waited) -> Death {
    let status = waited.status;
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    let ending = if libc::WIFSIGNALED(status) {
        Ending::Signaled(byte(libc::WTERMSIG(status)))
    } else {
        Ending::Exited(byte(libc::WEXITSTATUS(status)))
    };
    Death {
        ending,
        core_dumped: libc::WIFSIGNALED(status) && libc::WCOREDUMP(status),
        waited,
    }
}
