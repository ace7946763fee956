// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Sessions of an earlier fork server, while the client waits for their ends.
//!
//! They are not children of this process, so waitpid(2) reports neither their ends nor their stops.

use super::control::{Ended, Watch};
use crate::process::sweep::kill_descendants_of;
use crate::sys::{self, DeathWatch, Entry, Process};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How often to check whether one is stopped.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// A session that is stopped again and again is killed after this many stops.
const MAX_STOPS: u32 = 50;

/// Between two rounds of killing what one started.
const KILL_INTERVAL: Duration = Duration::from_millis(5);

/// A session is killed after this many rounds, even if some of what it started is left.
const MAX_KILL_ROUNDS: u32 = 100;

/// How long after its deadline a session is reported that could not be killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// A session of an earlier fork server.
#[derive(Debug)]
struct Foreign {
    ended: Ended,
    death: DeathWatch,
    entry: Entry,
    process: Process,
    deadline: Option<Instant>,
    stops: u32,
    kill_rounds: u32,
}

/// The sessions of an earlier fork server whose ends the client watches.
#[derive(Debug, Default)]
pub struct ForeignSessions(Vec<Foreign>);

impl ForeignSessions {
    /// Watches a session. Returns `false` if there is no such process.
    pub fn watch(&mut self, watch: &Watch, ended: Ended) -> bool {
        let Some((death, entry, process)) = find(watch.pid) else {
            return false;
        };
        self.0.push(Foreign {
            ended,
            death,
            entry,
            process,
            deadline: watch.deadline(),
            stops: 0,
            kill_rounds: 0,
        });
        true
    }

    /// Removes and reports those that are gone, continues those that are stopped, and kills those whose deadline has
    /// passed. Returns how many were continued.
    pub fn step(&mut self, mut report: impl FnMut(&Ended)) -> u64 {
        let mut continued = 0;
        self.0.retain_mut(|foreign| {
            let is_over = foreign.is_dead() || foreign.gives_up();
            if is_over {
                report(&foreign.ended);
            } else if foreign.is_late() {
                foreign.kill();
            } else if foreign.continue_if_stopped() {
                continued += 1;
            }
            !is_over
        });
        continued
    }

    /// The time until the next step.
    pub fn interval(&self) -> Option<Duration> {
        let intervals = self.0.iter().map(|foreign| {
            let left = foreign
                .deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match left {
                Some(Duration::ZERO) => KILL_INTERVAL,
                Some(left) => left.min(STOP_INTERVAL),
                None => STOP_INTERVAL,
            }
        });
        intervals.min()
    }

    /// Descriptors that become readable when a session has died.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().filter_map(|foreign| foreign.death.fd())
    }
}

impl Foreign {
    fn is_dead(&self) -> bool {
        self.death.is_dead()
    }

    fn is_late(&self) -> bool {
        let is_over = |deadline| deadline <= Instant::now();
        self.stops > MAX_STOPS || self.deadline.is_some_and(is_over)
    }

    /// Whether it could not be killed in time.
    fn gives_up(&mut self) -> bool {
        let last = self
            .deadline
            .and_then(|deadline| deadline.checked_add(KILL_TIMEOUT));
        let gives_up = last.is_some_and(|last| last <= Instant::now());
        if gives_up {
            self.ended.survivors = 1;
        }
        gives_up
    }

    fn continue_if_stopped(&mut self) -> bool {
        let is_stopped = self.entry.stat().is_ok_and(|now| now.state == b'T');
        if is_stopped {
            self.stops += 1;
            let _ = self.entry.signal(&self.process, libc::SIGCONT);
        }
        is_stopped
    }

    /// Kills all that it started, and then the session.
    fn kill(&mut self) {
        self.kill_rounds += 1;
        let is_last = self.kill_rounds > MAX_KILL_ROUNDS;
        if is_last || !kill_descendants_of(&self.entry, &self.process) {
            let _ = self.entry.signal(&self.process, libc::SIGKILL);
        }
    }
}

/// Continues a fork server that was stopped: it then sees that its client has closed its pipes.
pub fn continue_predecessor(pid: i32) {
    if let Some((_, entry, process)) = find(pid) {
        let _ = entry.signal(&process, libc::SIGCONT);
    }
}

/// Returns `None` if the process is not one of muontrap.
fn find(pid: i32) -> Option<(DeathWatch, Entry, Process)> {
    if pid <= 0 {
        return None;
    }
    let death = DeathWatch::of(pid).ok()?;
    let entry = Entry::open(pid).ok()?;
    let process = entry.stat().ok()?;
    let name = sys::process_name(pid).ok()?;
    name.starts_with(b"muontrap")
        .then_some((death, entry, process))
}
