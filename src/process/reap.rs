// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Reaping dead children without blocking.

use crate::sys::{self, HighPriority, Waited};
use std::io;
use std::time::{Duration, Instant};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Exited(u8),
    /// This signal killed it.
    Signaled(u8),
}

impl Ending {
    /// The exit status a shell would report: 128 + n for signal n.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(number) => 128u8.saturating_add(number),
        }
    }
}

/// The death of the program, as wait4(2) reports it.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// How it ended.
    pub ending: Ending,
    /// Whether it dumped core.
    pub core_dumped: bool,
    /// Its resource usage.
    pub waited: Waited,
}

/// What was reaped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reaped {
    /// The death of the program, if it was among them.
    pub death: Option<Death>,
    /// How many children.
    pub count: usize,
    /// Whether there may be more dead children.
    pub has_more: bool,
}

/// Children to reap before something else is done: others may die as fast as these are reaped. A process that falls behind
/// has to notice that, see [`Pace`], before its time slice ends: it may not run again for seconds.
pub const BATCH: usize = 32;

/// Children to reap between two rounds of a sweep, which has nothing else to do.
pub const SWEEP_BATCH: usize = 10_000;

/// Children to reap after the program's death, before the others are stopped.
const BATCH_AFTER_DEATH: usize = 16;

/// Reaps dead children, at most `limit`. Calls `each` for those that are not `program`.
///
/// More than one each time: SIGCHLD is not queued, and a subreaper gets children that it did not start.
pub fn reap(program: i32, mut limit: usize, mut each: impl FnMut(i32)) -> io::Result<Reaped> {
    let mut reaped = Reaped::default();
    while reaped.count < limit {
        match sys::wait_any() {
            Ok(Some(waited)) => {
                reaped.count += 1;
                if waited.pid == program {
                    reaped.death = Some(decode(waited));
                    limit = limit.min(reaped.count + BATCH_AFTER_DEATH);
                } else {
                    each(waited.pid);
                }
            }
            Ok(None) => return Ok(reaped),
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(reaped),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    reaped.has_more = true;
    Ok(reaped)
}

/// A high priority while children die faster than this process could reap them with its own.
///
/// Where that is not permitted, this process may make a session (setsid(2)) for itself instead, and stays in it.
#[derive(Debug)]
pub struct Pace {
    may_make_session: bool,
    high: Option<(HighPriority, Instant)>,
    count: usize,
}

impl Pace {
    pub fn new(may_make_session: bool) -> Self {
        Self {
            may_make_session,
            high: None,
            count: 0,
        }
    }

    pub fn note(&mut self, reaped: &Reaped) {
        self.count += reaped.count;
        if self.high.is_none() && reaped.count >= BATCH {
            self.begin(HighPriority::take());
            if self.high.is_none() && std::mem::take(&mut self.may_make_session) {
                sys::make_session();
            }
        }
    }

    /// Gives the priority back after a second with few deaths.
    pub fn settle(&mut self) {
        const INTERVAL: Duration = Duration::from_secs(1);
        const FEW: usize = 256;
        let is_due = |(_, since): &(_, Instant)| since.elapsed() >= INTERVAL;
        if self.high.as_ref().is_some_and(is_due) {
            let high = self.high.take().filter(|_| self.count >= FEW);
            self.begin(high.map(|(priority, _)| priority));
        }
    }

    fn begin(&mut self, priority: Option<HighPriority>) {
        self.high = priority.map(|priority| (priority, Instant::now()));
        self.count = 0;
    }
}

fn decode(waited: Waited) -> Death {
    let status = waited.status;
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    let ending = if libc::WIFSIGNALED(status) {
        Ending::Signaled(byte(libc::WTERMSIG(status)))
    } else {
        Ending::Exited(byte(libc::WEXITSTATUS(status)))
    };
    Death {
        ending,
        core_dumped: libc::WIFSIGNALED(status) && libc::WCOREDUMP(status),
        waited,
    }
}
