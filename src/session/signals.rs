// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What each signal means to muontrap. Those that mean something become flags and a readable pipe; all
//! others are blocked, so that none of them ends or stops muontrap and leaves its program alone.
//!
//! A fault of muontrap's own still ends it: the kernel does not let those be blocked.

use crate::sys::{self, CpuLimit, SignalMask};
use libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXCPU, c_int};
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
    /// Stop the program for a while, and muontrap after it, if there is a terminal. Without one it keeps its
    /// default action, unless there is an owner who acknowledges output, who has no use for a stopped helper.
    Suspend,
    /// Let the program go on, if there is a terminal.
    Resume,
}

/// Every signal that means something; those in no row are blocked.
///
/// So are SIGTTIN and SIGTTOU: muontrap does not read from the terminal, and may change its modes and write to
/// it from the background.
const TABLE: [(Meaning, &[c_int]); 5] = [
    (Meaning::Child, &[SIGCHLD]),
    (Meaning::Stop, &[SIGTERM, SIGINT, SIGQUIT, SIGHUP]),
    (Meaning::CpuTime, &[SIGXCPU]),
    (Meaning::Suspend, &[SIGTSTP]),
    (Meaning::Resume, &[SIGCONT]),
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
    suspend: Arc<AtomicBool>,
    resume: Arc<AtomicBool>,
    reader: File,
}

impl Signals {
    /// Installs the handlers, blocks what means nothing, and lifts the limit on CPU time. `has_terminal`: whether
    /// there is job control to do.
    pub fn install(acknowledged: bool, has_terminal: bool) -> io::Result<Self> {
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
        let catch_if = |wanted, meaning| {
            if wanted {
                catch(meaning)
            } else {
                Ok(Arc::default())
            }
        };
        let signals = Self {
            child: catch(Meaning::Child)?,
            stop: catch(Meaning::Stop)?,
            cpu_time: catch_if(has_cpu_limit, Meaning::CpuTime)?,
            cpu_limit,
            suspend: catch_if(has_terminal, Meaning::Suspend)?,
            resume: catch_if(has_terminal, Meaning::Resume)?,
            reader: File::from(reader),
        };
        // Whoever started this process may have blocked others, and not these.
        SignalMask::all_but(of(|meaning| match meaning {
            Meaning::Child | Meaning::Stop => true,
            Meaning::CpuTime => has_cpu_limit,
            Meaning::Suspend => has_terminal || !acknowledged,
            Meaning::Resume => has_terminal,
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

    /// Whether the program is to be stopped for a while, by the terminal, say.
    pub fn take_suspend(&self) -> bool {
        self.suspend.swap(false, Ordering::Relaxed)
    }

    /// Whether muontrap was continued since the last call.
    pub fn take_resume(&self) -> bool {
        self.resume.swap(false, Ordering::Relaxed)
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
