// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What each signal means to muontrap. Those that mean something become flags and a readable pipe; all
//! others are blocked, so that none of them ends or stops muontrap and leaves its program alone.
//!
//! A fault of muontrap's own still ends it: the kernel does not let those be blocked.

use crate::sys::{self, CpuLimit, SignalMask};
use libc::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGXCPU, c_int};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// A child may have died.
    Child,
    /// Stop the program.
    Stop,
    /// The limit on CPU time is close, where it could not be lifted (`RLIMIT_CPU`).
    CpuTime,
    /// Job control. Without frames they keep their default action; an owner that speaks frames has no use
    /// for a stopped helper.
    JobControl,
}

/// Every signal that means something; those in no row are blocked.
const TABLE: [(Meaning, &[c_int]); 4] = [
    (Meaning::Child, &[SIGCHLD]),
    (Meaning::Stop, &[SIGTERM, SIGINT, SIGQUIT, SIGHUP]),
    (Meaning::CpuTime, &[SIGXCPU]),
    (Meaning::JobControl, &[SIGTSTP, SIGTTIN, SIGTTOU]),
];

fn of(wanted: impl Fn(Meaning) -> bool) -> impl Iterator<Item = c_int> {
    let rows = TABLE.iter().filter(move |(meaning, _)| wanted(*meaning));
    rows.flat_map(|(_, signals)| signals.iter().copied())
}

/// Pending signals. They are caught from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    child: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    cpu_time: Arc<AtomicBool>,
    cpu_limit: Option<CpuLimit>,
    reader: File,
}

impl Signals {
    /// Installs the handlers, blocks what means nothing, and lifts the limit on CPU time.
    pub fn install(acknowledged: bool) -> io::Result<Self> {
        let cpu_limit = CpuLimit::lift();
        let has_cpu_limit = cpu_limit.is_some_and(|limit| limit.left.is_some());
        let (reader, writer) = sys::pipe()?;
        crate::reactor::set_nonblocking(&reader)?;
        crate::reactor::set_nonblocking(&writer)?;
        let writer: Arc<OwnedFd> = Arc::new(writer);
        let catch = |meaning| {
            let flag = Arc::new(AtomicBool::new(false));
            for signal in of(|other| other == meaning) {
                sys::on_signal(signal, flag.clone(), writer.clone())?;
            }
            io::Result::Ok(flag)
        };
        let signals = Self {
            child: catch(Meaning::Child)?,
            stop: catch(Meaning::Stop)?,
            cpu_time: if has_cpu_limit {
                catch(Meaning::CpuTime)?
            } else {
                Arc::default()
            },
            cpu_limit,
            reader: File::from(reader),
        };
        // Whoever started this process may have blocked others, and not these.
        SignalMask::all_but(of(|meaning| match meaning {
            Meaning::Child | Meaning::Stop => true,
            Meaning::CpuTime => has_cpu_limit,
            Meaning::JobControl => !acknowledged,
        }))
        .set()?;
        Ok(signals)
    }

    /// Empties the pipe. The flags must be looked at after this, not before: a signal that comes in
    /// between is then seen twice instead of never.
    pub fn drain(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.reader).read(&mut bytes), Ok(count) if count == bytes.len()) {}
    }

    /// Whether a child may have died since the last call.
    pub fn take_child(&self) -> bool {
        self.child.swap(false, Ordering::Relaxed)
    }

    /// Whether muontrap was told to stop since the last call.
    pub fn take_stop(&self) -> bool {
        self.stop.swap(false, Ordering::Relaxed)
    }

    /// Whether the kernel has told since the last call that the CPU time is nearly used up. Anybody may send
    /// this signal, too.
    pub fn take_cpu_time(&self) -> bool {
        self.cpu_time.swap(false, Ordering::Relaxed)
            && self.cpu_limit.is_some_and(|limit| limit.is_exceeded())
    }

    /// The limit on CPU time that the program is to have.
    pub fn cpu_limit(&self) -> Option<CpuLimit> {
        self.cpu_limit
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }
}
