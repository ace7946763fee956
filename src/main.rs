// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap`: `docs/` says what it does, and `muontrap --help` how to use it.

// The standard library's own entry does more than is needed here, in 20 system calls for each program: it prepares
// for stack overflows and looks for the bounds of the stack.
#![no_main]

use muontrap::run;
use muontrap::{Allocator, Title, command_line, ignore_sigpipe, open_standard_fds};
use std::ffi::{c_char, c_int};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// What the C library calls.
// SAFETY: no other function has this name, and the C library calls it as it is declared here.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    open_standard_fds();
    ignore_sigpipe();
    // SAFETY: they are those that the C library passed.
    let (words, title) = unsafe { (command_line(count, words), Title::of(count, words)) };
    run::main(words, title).into()
}
