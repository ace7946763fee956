// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The command line and the name that ps(1) shows of this process.

use std::ffi::{CStr, c_char, c_int};

/// The memory that the kernel shows as the command line of this process.
#[derive(Clone, Copy, Debug)]
pub struct Title {
    start: *mut u8,
    length: usize,
}

impl Title {
    /// The memory of the arguments of `main`, as far as it is contiguous.
    ///
    /// # Safety
    ///
    /// `words` points to `count` pointers to null-terminated strings, which the C library passed to `main`, and
    /// nothing else refers to those strings any more.
    pub unsafe fn of(count: c_int, words: *const *const c_char) -> Self {
        let mut title = Self {
            start: std::ptr::null_mut(),
            length: 0,
        };
        for index in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: the caller promised that there are `count` of them.
            let word = unsafe { CStr::from_ptr(*words.add(index)) };
            let start = word.as_ptr().cast_mut().cast::<u8>();
            if index == 0 {
                title.start = start;
            } else if title.start.wrapping_add(title.length) != start {
                break;
            }
            title.length += word.count_bytes() + 1;
        }
        title
    }

    /// Replaces both, cut to the room there is: that of the old command line, and 15 bytes for the name.
    pub fn set(&self, text: &[u8]) {
        let mut name = [0_u8; 16];
        let count = text.len().min(name.len() - 1);
        name[..count].copy_from_slice(&text[..count]);
        super::system::set_process_name(CStr::from_bytes_until_nul(&name).unwrap_or_default());
        let count = text.len().min(self.length.saturating_sub(1));
        // SAFETY: the memory has `length` writable bytes that nothing else refers to, as `of` requires.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), self.start, count);
            std::ptr::write_bytes(self.start.add(count), 0, self.length - count);
        }
    }
}
