// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Resources of this process: getrlimit(2), setpriority(2).

use std::io;

/// The inherited limit on CPU time, `RLIMIT_CPU`. It is meant for the program and not for muontrap, which lifts its
/// own.
#[derive(Clone, Copy)]
pub struct CpuLimit {
    /// Soft and hard limit, seconds.
    original: libc::rlimit,
    /// Soft limit that is left to muontrap, seconds; `None` when it could be lifted.
    pub left: Option<u64>,
}

impl std::fmt::Debug for CpuLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let libc::rlimit { rlim_cur, rlim_max } = self.original;
        write!(f, "CpuLimit({rlim_cur}, {rlim_max}; {:?})", self.left)
    }
}

impl CpuLimit {
    /// Lifts the limit of this process as far as permitted; `None` when there is none.
    ///
    /// Only root may raise the hard limit. There the kernel sends SIGKILL, so the soft limit becomes one second
    /// less, to get SIGXCPU first.
    pub fn lift() -> Option<Self> {
        let original = get().ok()?;
        if original.rlim_cur == libc::RLIM_INFINITY {
            return None;
        }
        let none = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        if set(&none).is_ok() {
            return Some(Self {
                original,
                left: None,
            });
        }
        let left = match original.rlim_max {
            libc::RLIM_INFINITY => libc::RLIM_INFINITY,
            hard => hard.saturating_sub(1).max(1),
        };
        let raised = libc::rlimit {
            rlim_cur: left,
            rlim_max: original.rlim_max,
        };
        let left = match set(&raised) {
            Ok(()) => left,
            Err(_) => original.rlim_cur,
        };
        Some(Self {
            original,
            left: (left != libc::RLIM_INFINITY).then(|| to_number(left)),
        })
    }

    /// Sets the inherited limit again. For the child.
    pub fn restore(&self) -> io::Result<()> {
        set(&self.original)
    }

    /// Whether a SIGXCPU came from the kernel, and not from another process. The kernel then raises the soft limit
    /// by a second, and counts clock ticks, which may be ahead of the CPU-time clock.
    pub fn is_exceeded(&self) -> bool {
        let raised = |left| get().is_ok_and(|limit| to_number(limit.rlim_cur) > left);
        self.left
            .is_some_and(|left| cpu_seconds() >= left || raised(left))
    }
}

/// The type differs between systems, and is signed on FreeBSD.
#[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion)]
fn to_number(limit: libc::rlim_t) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

fn get() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live, writable rlimit.
    super::check(unsafe { libc::getrlimit(libc::RLIMIT_CPU, &raw mut limit) })?;
    Ok(limit)
}

fn set(limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: the pointer is to a live rlimit.
    super::check(unsafe { libc::setrlimit(libc::RLIMIT_CPU, limit) }).map(drop)
}

/// CPU time of this process, seconds.
fn cpu_seconds() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.map_or(0, |time| u64::try_from(time.tv_sec()).unwrap_or(0))
}

/// Sets the niceness of this process: setpriority(2). For the child.
pub fn set_niceness(nice: i32) -> io::Result<()> {
    // SAFETY: setpriority takes no pointers.
    super::check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }).map(drop)
}
