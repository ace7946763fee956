// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The signal mask and the dispositions of signals: sigprocmask(2), sigaction(2).

use nix::sys::signal::{SigSet, SigmaskHow};
use std::ffi::c_int;
use std::io;

/// A set of blocked signals.
#[derive(Clone, Copy, Debug)]
pub struct SignalMask(SigSet);

impl SignalMask {
    /// No signals.
    pub fn none() -> Self {
        Self(SigSet::empty())
    }

    /// All signals except these.
    pub fn all_but(signals: impl IntoIterator<Item = c_int>) -> Self {
        let mut mask = SigSet::all();
        for signal in signals {
            if let Ok(signal) = signal.try_into() {
                mask.remove(signal);
            }
        }
        Self(mask)
    }

    /// Replaces the mask, and returns the previous one.
    pub fn set(self) -> io::Result<Self> {
        Ok(Self(self.0.thread_swap_mask(SigmaskHow::SIG_SETMASK)?))
    }
}

/// Gives a signal its default disposition. For the child.
pub fn set_default(signal: c_int) {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
