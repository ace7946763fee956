// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The sessions of a fork server, from the fork until nothing is left of them.

use super::control::{Ended, Watch};
use super::listener::Name;
use super::lost::{Lost, LostSessions};
use crate::cgroup::Request;
use crate::process::children::Children;
use crate::sys::{self, Changed, Process, ProcessId};
use crate::wire::notice::{Notice, UNKNOWN_START};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A session whose owner is gone is killed after this many stops.
const MAX_STOPS: u32 = 50;

/// How long the sweep after a session that was killed at its deadline may take, before its end is reported.
const KILL_TIME: Duration = Duration::from_secs(5);

/// How many lost sessions are remembered.
const MAX_RECENT: usize = 32;

/// A running session.
#[derive(Debug)]
struct Session {
    pid: i32,
    connection: u64,
    watched: bool,
    deadline: Option<Instant>,
    stops: u32,
    group: Option<Request>,
    /// What it has said that it has started.
    processes: Vec<ProcessId>,
}

impl Session {
    /// Forgets those that are gone from time to time, since a session may start any number of them.
    fn note_started(&mut self, processes: Vec<ProcessId>) {
        if self.processes.len() + processes.len() > self.processes.capacity() {
            let is_alive = |(pid, started): &ProcessId| {
                Process::find(*pid).is_ok_and(|process| process.started == *started)
            };
            self.processes.retain(is_alive);
        }
        self.processes
            .extend(processes.into_iter().filter_map(identify));
    }
}

/// Finds the start time of a process that has announced itself. Later, another process may have its pid.
fn identify((pid, started): ProcessId) -> Option<ProcessId> {
    if started == UNKNOWN_START {
        return Process::find(pid).ok().map(|process| process.id());
    }
    Some((pid, started))
}

/// How a process ended: wait(2).
#[derive(Clone, Copy, Debug)]
pub struct Death {
    pub pid: i32,
    /// 0: it exited, 1: a signal ended it.
    pub how: u8,
    /// Exit status or signal.
    pub code: u8,
}

impl Death {
    /// `None` for a process that was only stopped.
    pub fn of(changed: Changed) -> Option<Self> {
        let status = changed.status;
        let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        let (how, code) = if libc::WIFSTOPPED(status) {
            return None;
        } else if libc::WIFSIGNALED(status) {
            (1, byte(libc::WTERMSIG(status)))
        } else {
            (0, byte(libc::WEXITSTATUS(status)))
        };
        let pid = changed.pid;
        Some(Self { pid, how, code })
    }
}

/// All sessions of the fork server.
#[derive(Debug, Default)]
pub struct Sessions {
    running: Vec<Session>,
    pub lost: LostSessions,
    /// Processes that sessions left behind on purpose.
    spared: Vec<i32>,
    /// Sessions whose end is to be reported.
    ended: Vec<Ended>,
    /// Lost sessions whose end nobody watched, for a WATCH that comes later.
    recent: VecDeque<Ended>,
}

impl Sessions {
    /// Adds a session that was just forked.
    pub fn add(&mut self, pid: i32, name: Name) {
        self.running.push(Session {
            pid,
            connection: name.number,
            watched: name.watched,
            deadline: None,
            stops: 0,
            group: None,
            processes: Vec::new(),
        });
    }

    /// How many sessions are running.
    pub fn count(&self) -> usize {
        self.running.len()
    }

    /// Whether no session is running and nothing is left of any.
    pub fn are_gone(&self) -> bool {
        self.running.is_empty() && self.lost.are_gone()
    }

    /// The watched sessions that ended since the last call.
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// Records what a session reported.
    pub fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Group(pid, group) => {
                let mut running = self.running.iter_mut();
                if let Some(session) = running.find(|session| session.pid == pid) {
                    session.group = Some(group);
                }
            }
            Notice::Left(pids) => self.spared.extend(pids),
            Notice::Survivors(processes) => self.lost.add_survivors(processes),
            Notice::Started(pid, processes) => {
                let mut running = self.running.iter_mut();
                if let Some(session) = running.find(|session| session.pid == pid) {
                    session.note_started(processes);
                }
            }
        }
    }

    /// Whether a session left this process behind on purpose.
    pub fn is_spared(&self, pid: i32) -> bool {
        self.spared.contains(&pid)
    }

    /// Spares all children of which nothing is known. Call it while no sweep is going on: they are then orphans of a
    /// process that was spared and has died.
    pub fn spare_all(&mut self) {
        let mut known = self.lost.pids();
        known.extend(self.running.iter().map(|session| session.pid));
        for pid in Children::open().list().pids {
            if !known.contains(&pid) && !self.spared.contains(&pid) {
                self.spared.push(pid);
            }
        }
    }

    /// Has the end of a session reported. Returns `false` if the session is unknown.
    pub fn watch(&mut self, watch: &Watch) -> bool {
        let is_it = |connection: u64, pid: i32| match watch.connection {
            0 => pid == watch.pid,
            number => connection == number,
        };
        let is_it_ended = |ended: &Ended| is_it(ended.connection, ended.pid);
        if let Some(lost) = self.lost.find(is_it_ended) {
            lost.watched = true;
            lost.deadline = watch.deadline();
            return true;
        }
        let mut recent = self.recent.iter();
        if let Some(index) = recent.position(is_it_ended) {
            self.ended.extend(self.recent.remove(index));
            return true;
        }
        let mut running = self.running.iter_mut();
        let session = running.find(|session| is_it(session.connection, session.pid));
        let Some(session) = session else { return false };
        session.watched = true;
        session.deadline = watch.deadline().or(session.deadline);
        true
    }

    /// Continues a session that was stopped. Kills it when it was stopped too often and its owner `is_gone`. Returns
    /// whether the process is a session.
    pub fn stopped(&mut self, pid: i32, is_gone: bool) -> bool {
        let mut running = self.running.iter_mut();
        let Some(session) = running.find(|session| session.pid == pid) else {
            return false;
        };
        session.stops += 1;
        let signal = if is_gone && session.stops > MAX_STOPS {
            libc::SIGKILL
        } else {
            libc::SIGCONT
        };
        // It was not reaped yet, so its pid was not reused.
        let _ = sys::kill(pid, signal);
        true
    }

    /// Records the death of a child, after all notices were read. Returns whether it was a session that was killed.
    pub fn died(&mut self, death: Death) -> bool {
        self.spared.retain(|&pid| pid != death.pid);
        self.lost.note_reaped(death.pid);
        let mut running = self.running.iter();
        let Some(index) = running.position(|session| session.pid == death.pid) else {
            return false;
        };
        let session = self.running.swap_remove(index);
        let ended = Ended {
            connection: session.connection,
            pid: session.pid,
            how: death.how,
            code: death.code,
            swept: 0,
            survivors: 0,
        };
        if death.how == 0 {
            if session.watched {
                self.ended.push(ended);
            }
            return false;
        }
        let mut lost = Lost::new(ended, session.group, session.processes);
        (lost.watched, lost.deadline) = (session.watched, session.deadline);
        self.lost.add(lost);
        true
    }

    /// Does one step of killing what lost sessions left. Returns how many processes were killed.
    pub fn sweep(&mut self) -> usize {
        let running = self.running.iter().map(|session| session.pid);
        let others = running.chain(self.spared.iter().copied());
        self.lost.sweep(others)
    }

    /// Removes lost sessions of which nothing is left.
    pub fn settle(&mut self) {
        let (reported, recent) = (&mut self.ended, &mut self.recent);
        self.lost.settle(|lost| {
            if lost.watched {
                reported.push(lost.ended);
            } else {
                recent.truncate(MAX_RECENT - 1);
                recent.push_front(lost.ended);
            }
        });
    }

    /// Kills sessions whose deadline has passed, and reports lost ones whose processes are still there at theirs.
    /// Returns the next deadline.
    pub fn expire(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let is_over = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        for session in &mut self.running {
            if is_over(session.deadline) {
                session.deadline = now.checked_add(KILL_TIME);
                let _ = sys::kill(session.pid, libc::SIGKILL);
            }
        }
        let ended = &mut self.ended;
        let lost = self.lost.expire(now, |it| ended.push(*it));
        if !self.ended.is_empty() {
            return Some(now);
        }
        let running = self.running.iter().filter_map(|it| it.deadline);
        running.chain(lost).min()
    }
}
