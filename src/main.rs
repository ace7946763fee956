// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap`: see the library for what it does, and `muontrap --help` for how to use it.

// The standard library's own entry does more than is needed here, by 20 system calls at the start of each
// program: it prepares for stack overflows and looks for the bounds of the stack.
#![no_main]

use muontrap::cli;
use muontrap::cli::cgroup::Cgroup;
use muontrap::doctor;
use muontrap::forkserver;
use muontrap::run;
use muontrap::run::Mode;
use muontrap::session::emergency;
use muontrap::sys;
use muontrap::sys::Title;
use std::ffi::{OsString, c_char, c_int};
use std::io::Write as _;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// What the C library calls.
// SAFETY: no other function has this name, and the C library calls it as it is declared here.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    sys::open_standard_fds();
    sys::ignore_sigpipe();
    emergency::install();
    // SAFETY: they are those that the C library passed.
    let (words, title) = unsafe { (sys::command_line(count, words), Title::of(count, words)) };
    run(words, title).into()
}

fn run(words: Vec<OsString>, title: Title) -> u8 {
    match Mode::find(&words) {
        Some(Mode::Framed(fds)) => return run::framed(fds),
        Some(Mode::ForkServer) => return forkserver::main(title),
        None => {}
    }
    let first = words.get(1).and_then(|word| word.to_str());
    let status = if let Some(command) = first.and_then(Cgroup::find) {
        command.main(words.into_iter().skip(1))
    } else if first == Some("doctor") {
        doctor::main(words.into_iter().skip(2))
    } else {
        match cli::parse(words) {
            Ok(flags) => return run::main(&flags),
            Err(error) => run::usage_error(&error),
        }
    };
    // The standard library would do it after a `main` of its own. Whoever printed checked for errors.
    let _ = std::io::stdout().flush();
    status
}
