// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Collecting dead children without ever blocking.

use crate::sys::{self, Waited};
use std::io;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this exit code.
    Exited(u8),
    /// By this signal.
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

/// The program's death, as told by wait4(2).
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// How it ended.
    pub ending: Ending,
    /// Whether it dumped core.
    pub core_dumped: bool,
    /// What it used.
    pub waited: Waited,
}

/// Collects every child that is dead now, and tells the death of `program` if it is among them.
///
/// All of them each time, because one SIGCHLD may stand for many deaths, and because a subreaper
/// gets children it never started. Errors other than `ECHILD` do not exist for these arguments.
pub fn collect(program: i32, mut each: impl FnMut(i32)) -> io::Result<Option<Death>> {
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
