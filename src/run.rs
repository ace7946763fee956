// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! From the command line to a session, the fork server, a cgroup or the doctor.

use crate::cli::{self, Invocation};
use crate::doctor;
use crate::forkserver;
use crate::session::opening::Invitation;
use crate::session::{self, emergency};
use crate::sys::Title;
use std::ffi::OsString;
use std::io::Write as _;

/// Does what a command line asks for, and returns the exit status. Its first word is muontrap's own name; `title` is
/// what ps(1) shows of this process.
pub fn main(words: Vec<OsString>, title: Title) -> u8 {
    emergency::install();
    let status = match Invocation::parse(words) {
        Ok(Invocation::Program(config, transport)) => return session::run(*config, transport),
        Ok(Invocation::Framed(transport)) => {
            return session::serve(transport, Invitation::default(), None);
        }
        Ok(Invocation::ForkServer) => return forkserver::main(title),
        Ok(Invocation::Cgroup(operation)) => cli::cgroup::run(&operation),
        Ok(Invocation::Doctor(words)) => doctor::main(words),
        Err(error) => cli::report(&error),
    };
    // Which the standard library does only after a `main` of its own. Errors were checked for when it was printed.
    let _ = std::io::stdout().flush();
    status
}
