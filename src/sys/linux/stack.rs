// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The stack of this process.

const PAGE: usize = 4096;

/// Gives the stack below the caller to the kernel, as far as a session uses it until its program runs.
#[inline(never)]
pub fn release_stack() {
    const DEPTH: usize = 16 * PAGE;
    /// For what this function and madvise have on the stack.
    const MARGIN: usize = 512;
    let mut mark = 0_u8;
    let mark = &raw mut mark;
    let end = (mark.addr() - MARGIN) & !(PAGE - 1);
    let begin = mark.wrapping_sub(mark.addr() - end + DEPTH);
    // SAFETY: these pages are below this stack frame, where nothing is in use. Where the stack has not grown that far,
    // nothing is mapped, since the kernel keeps a gap there: an error after the rest was released. Where pages are
    // larger and the address is not at the start of one, this is an error, too, and nothing is released.
    unsafe { libc::madvise(begin.cast(), DEPTH, libc::MADV_DONTNEED) };
}
