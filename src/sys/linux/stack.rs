// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Stacks: that of a child in shared memory, and that of this process.

use std::io;

const PAGE: usize = 4096;

/// A stack for a child that shares the memory of this process. It is not in a heap, where the page that the child
/// writes to would stay.
#[derive(Debug)]
pub struct Stack {
    begin: *mut u8,
    size: usize,
}

impl Stack {
    /// `size` is a multiple of the size of a page.
    pub fn new(size: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: this maps new memory.
        let begin = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, -1, 0) };
        if begin == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let begin = begin.cast();
        Ok(Self { begin, size })
    }

    /// The end, from where the stack grows downwards. It is aligned to a page.
    pub fn top(&self) -> *mut libc::c_void {
        self.begin.wrapping_add(self.size).cast()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and no child runs on it any more.
        unsafe { libc::munmap(self.begin.cast(), self.size) };
    }
}

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
