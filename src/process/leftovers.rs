// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Killing what another helper has left behind, which was executed for one program and killed.
//!
//! Those processes are not descendants of this one. They are found by the session and the process group
//! that they began in. One that has left both is found only while its ancestors live.

use crate::error::Failure;
use crate::sys::{self, Process, live_processes};
use crate::wait::{Undisturbed, Wait};
use nix::unistd::{Pid, getpgid, getsid};
use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

/// How often to look whether a process is gone.
const INTERVAL: Duration = Duration::from_millis(5);

/// How long to kill at least, however long the helper took.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// The pid of the helper, which is its session, too: a port makes each process the leader of one.
    pub(crate) helper: i32,
    /// The pid of its program, which is its process group, too; `None` when it is not known.
    pub(crate) program: Option<i32>,
    /// How long to wait for the end of the helper.
    pub(crate) timeout: Duration,
}

impl Leftovers {
    /// As [`Self::kill`]. Returns the values of ANSWER.
    pub(crate) fn kill_for_reply(self) -> Result<Vec<(String, String)>, Failure> {
        let survivors = self
            .kill()
            .map_err(|error| Failure::cannot("list processes", &error))?;
        Ok(vec![("survivors".to_owned(), survivors.to_string())])
    }

    /// Waits until the helper is gone, then kills what is left. Returns how many processes are still there.
    ///
    /// The helper itself is killed only when its program is not known: it is stuck then.
    fn kill(self) -> io::Result<usize> {
        let deadline = Instant::now() + self.timeout;
        while self.is_helper_alive() {
            if Instant::now() >= deadline {
                if self.program.is_some() {
                    return Ok(1);
                }
                break;
            }
            Undisturbed.pause(INTERVAL)?;
        }
        self.kill_until_none(deadline.max(Instant::now() + KILL_TIMEOUT))
    }

    /// A process of another name has got the pid later.
    fn is_helper_alive(self) -> bool {
        let name = sys::process_name(self.helper);
        let is_alive = Process::find(self.helper);
        name.is_ok_and(|name| name.starts_with(b"muontrap"))
            && is_alive.is_ok_and(|it| !it.is_dead())
    }

    fn kill_until_none(self, deadline: Instant) -> io::Result<usize> {
        loop {
            // Once is not enough: one that forks meanwhile may have a child that was not found.
            let left = self.find()?;
            for process in &left {
                let _ = process.signal(libc::SIGKILL);
            }
            if left.is_empty() || Instant::now() >= deadline {
                return Ok(left.len());
            }
            Undisturbed.pause(INTERVAL)?;
        }
    }

    fn find(self) -> io::Result<Vec<Process>> {
        let (mut left, mut others): (Vec<_>, Vec<_>) = live_processes()?
            .into_iter()
            .partition(|it| self.contains(it.pid));
        // Those that they have started.
        loop {
            let pids: BTreeSet<i32> = left.iter().map(|it| it.pid).collect();
            let (children, rest): (Vec<_>, Vec<_>) =
                others.into_iter().partition(|it| pids.contains(&it.ppid));
            if children.is_empty() {
                return Ok(left);
            }
            left.extend(children);
            others = rest;
        }
    }

    fn contains(self, pid: i32) -> bool {
        let is = |id: nix::Result<Pid>, leader| id.is_ok_and(|id| id.as_raw() == leader);
        let pid = Some(Pid::from_raw(pid));
        // A program with a terminal of its own is the leader of a session, too.
        let is_program_s = self
            .program
            .is_some_and(|program| is(getpgid(pid), program) || is(getsid(pid), program));
        is_program_s || is(getsid(pid), self.helper)
    }
}
