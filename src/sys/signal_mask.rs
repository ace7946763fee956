// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The signal mask: sigprocmask(2).

use std::ffi::c_int;
use std::io;

#[cfg(target_os = "linux")]
use {super::KERNEL_SIGSET_SIZE, std::ffi::c_ulong};

/// A set of blocked signals.
///
/// On Linux not by way of the C library, which never blocks the signals that it reserves for itself (glibc: 32
/// and 33), although any process may send them.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
pub struct SignalMask([c_ulong; 4]);

#[cfg(target_os = "linux")]
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

/// A set of blocked signals.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
pub struct SignalMask(nix::sys::signal::SigSet);

#[cfg(not(target_os = "linux"))]
impl SignalMask {
    /// No signals.
    pub fn none() -> Self {
        Self(nix::sys::signal::SigSet::empty())
    }

    /// All signals except these.
    pub fn all_but(signals: impl IntoIterator<Item = c_int>) -> Self {
        let mut mask = nix::sys::signal::SigSet::all();
        for signal in signals {
            if let Ok(signal) = signal.try_into() {
                mask.remove(signal);
            }
        }
        Self(mask)
    }

    /// Replaces the mask, and returns the previous one.
    pub fn set(self) -> io::Result<Self> {
        Ok(Self(self.0.thread_swap_mask(
            nix::sys::signal::SigmaskHow::SIG_SETMASK,
        )?))
    }
}
