// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What each signal means to muontrap. A signal with a meaning sets a flag and writes to a pipe (self-pipe). All others
//! are blocked, so that none of them ends or stops muontrap.
//!
//! A fault of muontrap itself, such as SIGSEGV, cannot be blocked and still ends it.

use crate::sys::{self, CpuLimit, SignalMask};
use libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXCPU, c_int};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// A child may have died.
    Child,
    /// Stop the program.
    Stop,
    /// The limit on CPU time (`RLIMIT_CPU`) is close, where it could not be lifted.
    CpuTime,
    /// Suspend the program, and then muontrap, if there is a terminal. Without one the signal has its default
    /// action, or is blocked if the owner acknowledges output, since that owner could not resume muontrap.
    Suspend,
    /// Resume the program, if there is a terminal.
    Resume,
}

/// Every signal with a meaning. All others are blocked.
///
/// Among those are SIGTTIN and SIGTTOU: muontrap does not read from the terminal, and may change its modes and write
/// to it from the background.
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

/// The handlers of the signals that every session catches. Installing them takes a dozen system calls and 75
/// allocations, so a fork server does it once for all of its sessions, which share the memory.
#[derive(Debug)]
pub(crate) struct Handlers {
    child: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    /// Where they write a byte.
    wake: Arc<OwnedFd>,
}

impl Handlers {
    /// Installs the handlers. A byte is written to `wake` for each signal, so that must not block.
    pub(crate) fn install(wake: OwnedFd) -> io::Result<Self> {
        let wake = Arc::new(wake);
        Ok(Self {
            child: catch(Meaning::Child, &wake)?,
            stop: catch(Meaning::Stop, &wake)?,
            wake,
        })
    }

    /// Has them write to another file from now on.
    fn redirect(&self, wake: &OwnedFd) -> io::Result<()> {
        sys::replace(&self.wake, wake)
    }
}

impl AsRawFd for Handlers {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

/// Installs the handlers of all signals with this meaning.
fn catch(meaning: Meaning, wake: &Arc<OwnedFd>) -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in of(|other| other == meaning) {
        sys::on_signal(signal, flag.clone(), wake.clone())?;
    }
    Ok(flag)
}

/// Signals that were caught and not handled yet.
#[derive(Debug)]
pub(super) struct Signals {
    handlers: Handlers,
    cpu_time: Arc<AtomicBool>,
    cpu_limit: Option<CpuLimit>,
    suspend: Arc<AtomicBool>,
    resume: Arc<AtomicBool>,
    reader: File,
}

impl Signals {
    /// Installs the handlers unless that was done by the fork server, blocks all other signals, and lifts the limit on
    /// CPU time. `acknowledged` tells whether the owner acknowledges output, `has_terminal` whether there is a
    /// terminal for job control.
    pub(super) fn install(
        handlers: Option<Handlers>,
        acknowledged: bool,
        has_terminal: bool,
    ) -> io::Result<Self> {
        let cpu_limit = CpuLimit::lift();
        let has_cpu_limit = cpu_limit.is_some_and(|limit| limit.left.is_some());
        let (reader, writer) = sys::pipe()?;
        crate::reactor::set_nonblocking(&reader)?;
        crate::reactor::set_nonblocking(&writer)?;
        let handlers = if let Some(handlers) = handlers {
            handlers.redirect(&writer)?;
            handlers
        } else {
            Handlers::install(writer)?
        };
        let catch_if = |wanted, meaning| {
            if wanted {
                catch(meaning, &handlers.wake)
            } else {
                Ok(Arc::default())
            }
        };
        let signals = Self {
            cpu_time: catch_if(has_cpu_limit, Meaning::CpuTime)?,
            cpu_limit,
            suspend: catch_if(has_terminal, Meaning::Suspend)?,
            resume: catch_if(has_terminal, Meaning::Resume)?,
            handlers,
            reader: File::from(reader),
        };
        // The mask is inherited, so set all of it.
        SignalMask::all_but(of(|meaning| match meaning {
            Meaning::Child | Meaning::Stop => true,
            Meaning::CpuTime => has_cpu_limit,
            Meaning::Suspend => has_terminal || !acknowledged,
            Meaning::Resume => has_terminal,
        }))
        .set()?;
        Ok(signals)
    }

    /// Empties the pipe. Read the flags after this, not before: a signal that comes in between is then noticed twice
    /// instead of never.
    pub(super) fn drain(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.reader).read(&mut bytes), Ok(count) if count == bytes.len()) {}
    }

    /// Whether a child may have died since the last call.
    pub(super) fn take_child(&self) -> bool {
        self.handlers.child.swap(false, Ordering::Relaxed)
    }

    /// Has [`Self::take_child`] return true once more.
    pub(super) fn set_child(&self) {
        self.handlers.child.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::take_child`] would return true.
    pub(super) fn has_child(&self) -> bool {
        self.handlers.child.load(Ordering::Relaxed)
    }

    /// Whether muontrap was told to stop since the last call.
    pub(super) fn take_stop(&self) -> bool {
        self.handlers.stop.swap(false, Ordering::Relaxed)
    }

    /// Whether muontrap was told to suspend the program since the last call.
    pub(super) fn take_suspend(&self) -> bool {
        self.suspend.swap(false, Ordering::Relaxed)
    }

    /// Whether muontrap was continued since the last call.
    pub(super) fn take_resume(&self) -> bool {
        self.resume.swap(false, Ordering::Relaxed)
    }

    /// Whether the kernel reported since the last call that the CPU time is nearly used up. Any process may send this
    /// signal, so the limit is checked.
    pub(super) fn take_cpu_time(&self) -> bool {
        self.cpu_time.swap(false, Ordering::Relaxed)
            && self.cpu_limit.is_some_and(|limit| limit.is_exceeded())
    }

    /// The limit on CPU time that the program is to have.
    pub(super) fn cpu_limit(&self) -> Option<CpuLimit> {
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
