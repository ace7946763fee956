// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What each signal means to muontrap. SIGCHLD is read from a descriptor. Another signal with a meaning sets a flag and
//! ends a wait (self-pipe). All others are blocked, so that none of them ends or stops muontrap.
//!
//! A fault of muontrap itself, such as SIGSEGV, cannot be blocked and still ends it.

use crate::sys::{self, ChildEvents, CpuLimit, Waker};
use libc::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXCPU, c_int};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
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

/// Every signal with a meaning but SIGCHLD. All others are blocked.
///
/// Among those are SIGTTIN and SIGTTOU: muontrap does not read from the terminal, and may change its modes and write
/// to it from the background.
const TABLE: [(Meaning, &[c_int]); 4] = [
    (Meaning::Stop, &[SIGTERM, SIGINT, SIGQUIT, SIGHUP]),
    (Meaning::CpuTime, &[SIGXCPU]),
    (Meaning::Suspend, &[SIGTSTP]),
    (Meaning::Resume, &[SIGCONT]),
];

fn of(wanted: impl Fn(Meaning) -> bool) -> impl Iterator<Item = c_int> {
    let rows = TABLE.iter().filter(move |(meaning, _)| wanted(*meaning));
    rows.flat_map(|(_, signals)| signals.iter().copied())
}

/// The handlers of the signals that every session catches. Installing them takes a dozen system calls and many
/// allocations, so a fork server does it once for all of its sessions, which share the memory.
#[derive(Debug)]
pub(crate) struct Handlers {
    stop: Arc<AtomicBool>,
}

impl Handlers {
    pub(crate) fn install() -> io::Result<Self> {
        let stop = catch(Meaning::Stop)?;
        Ok(Self { stop })
    }
}

/// Installs the handlers of all signals with this meaning.
fn catch(meaning: Meaning) -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in of(|other| other == meaning) {
        sys::on_signal(signal, flag.clone())?;
    }
    Ok(flag)
}

/// Resets a flag that a handler has set.
fn take(flag: &AtomicBool) -> bool {
    // Not written to otherwise: a session shares the memory with the fork server.
    flag.load(Ordering::Relaxed) && flag.swap(false, Ordering::Relaxed)
}

/// Signals that were caught and not handled yet.
#[derive(Debug)]
pub(super) struct Signals {
    stop: Arc<AtomicBool>,
    cpu_time: Option<Arc<AtomicBool>>,
    cpu_limit: Option<CpuLimit>,
    suspend: Option<Arc<AtomicBool>>,
    resume: Option<Arc<AtomicBool>>,
    waker: Waker,
    children: ChildEvents,
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
        let waker = Waker::open()?;
        sys::set_writer(waker.writer());
        let handlers = handlers.map_or_else(Handlers::install, Ok)?;
        let catch_if = |wanted: bool, meaning| wanted.then(|| catch(meaning)).transpose();
        let cpu_time = catch_if(has_cpu_limit, Meaning::CpuTime)?;
        let suspend = catch_if(has_terminal, Meaning::Suspend)?;
        let resume = catch_if(has_terminal, Meaning::Resume)?;
        // The mask is inherited, so this sets all of it.
        let children = ChildEvents::open(of(|meaning| match meaning {
            Meaning::Stop => true,
            Meaning::CpuTime => has_cpu_limit,
            Meaning::Suspend => has_terminal || !acknowledged,
            Meaning::Resume => has_terminal,
        }))?;
        Ok(Self {
            stop: handlers.stop,
            cpu_time,
            cpu_limit,
            suspend,
            resume,
            waker,
            children,
        })
    }

    /// Makes the descriptor unreadable again. Read the flags after this, not before: a signal that comes in between is
    /// then noticed twice instead of never.
    pub(super) fn drain(&self) {
        self.waker.clear();
    }

    /// Deaths and stops of children.
    pub(super) fn children(&self) -> &ChildEvents {
        &self.children
    }

    /// Whether muontrap was told to stop since the last call.
    pub(super) fn take_stop(&self) -> bool {
        take(&self.stop)
    }

    /// Whether muontrap was told to suspend the program since the last call.
    pub(super) fn take_suspend(&self) -> bool {
        self.suspend.as_deref().is_some_and(take)
    }

    /// Whether muontrap was continued since the last call.
    pub(super) fn take_resume(&self) -> bool {
        self.resume.as_deref().is_some_and(take)
    }

    /// Whether the kernel reported since the last call that the CPU time is nearly used up. Any process may send this
    /// signal, so the limit is checked.
    pub(super) fn take_cpu_time(&self) -> bool {
        self.cpu_time.as_deref().is_some_and(take)
            && self.cpu_limit.is_some_and(|limit| limit.is_exceeded())
    }

    /// The limit on CPU time that the program is to have.
    pub(super) fn cpu_limit(&self) -> Option<CpuLimit> {
        self.cpu_limit
    }
}

/// Readable after a signal other than SIGCHLD.
impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }
}
