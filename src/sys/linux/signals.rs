// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The signal mask and the dispositions of signals, without the C library: sigprocmask(2), sigaction(2).
//!
//! The C library changes nothing about the signals that it reserves for itself (glibc: 32 and 33), although any process
//! may send them, and although they may be inherited as ignored, for example from its own `posix_spawn(3)`.

use std::ffi::{c_int, c_ulong};
use std::io;

/// Bytes of the kernel's signal set, which is not the `sigset_t` of the C library: 128 signals on MIPS, 64 elsewhere.
const KERNEL_SIGSET_SIZE: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    16
} else {
    8
};

/// A set of blocked signals.
#[derive(Clone, Copy, Debug)]
pub struct SignalMask([c_ulong; 4]);

impl SignalMask {
    /// No signals.
    pub fn none() -> Self {
        Self([0; 4])
    }

    /// All signals except these.
    pub fn all_but(signals: impl IntoIterator<Item = c_int>) -> Self {
        const BITS: usize = c_ulong::BITS as usize;
        let mut words = [c_ulong::MAX; 4];
        for signal in signals {
            // Signals are counted from 1.
            let bit = usize::try_from(signal).unwrap_or(0).wrapping_sub(1);
            if let Some(word) = words.get_mut(bit / BITS) {
                *word &= !(1 << (bit % BITS));
            }
        }
        Self(words)
    }

    /// Replaces the mask, and returns the previous one.
    pub fn set(self) -> io::Result<Self> {
        let mut old = [0; 4];
        // SAFETY: the kernel reads and writes KERNEL_SIGSET_SIZE bytes, and both arrays are larger.
        let result = unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                self.0.as_ptr(),
                old.as_mut_ptr(),
                KERNEL_SIGSET_SIZE,
            )
        };
        if result == 0 {
            Ok(Self(old))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// Gives a signal its default disposition. For the child.
pub fn set_default(signal: c_int) {
    // All zeroes is SIG_DFL, no flags and an empty mask, in more bytes than the kernel's structure has.
    let default = [0_u64; 8];
    // SIGKILL and SIGSTOP, which cannot be changed, fail with EINVAL.
    // SAFETY: the kernel reads the structure, and writes nothing without a place for the old one.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            &raw const default,
            std::ptr::null::<u64>(),
            KERNEL_SIGSET_SIZE,
        )
    };
}
