// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the program left behind: found, stopped, killed.
//!
//! Without a cgroup, what holds the program's descendants together is that orphans come back to
//! their subreaper, so that each of them stays a descendant of this process whatever it does with
//! sessions and process groups.

use crate::sys;
use std::collections::BTreeSet;
use std::io;

/// A line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Parent's process id.
    pub ppid: i32,
    /// State letter of `/proc/<pid>/stat`: that of the first thread.
    pub state: u8,
    /// Its threads, dead ones that the others wait for included.
    pub threads: u32,
    /// When it started, in clock ticks since boot: with the pid, this names a process for good.
    pub started: u64,
}

impl Process {
    /// A process whose first thread ended looks like a zombie while its other threads run on.
    fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }

    /// Stopped, or in an uninterruptible wait and so not forking either. Without a first thread
    /// there is no telling.
    fn is_still(&self) -> bool {
        matches!(self.state, b'T' | b't' | b'D' | b'Z' | b'X' | b'x')
    }
}

/// Reads a line of `/proc/<pid>/stat`: `proc_pid_stat(5)`.
pub fn parse_stat(line: &str) -> Option<Process> {
    // The name stands in parentheses and may contain any, so count from the last one.
    let (pid, rest) = line.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    Some(Process {
        pid: pid.parse().ok()?,
        ppid: parent,
        state,
        threads: fields.nth(15)?.parse().ok()?,
        started: fields.nth(1)?.parse().ok()?,
    })
}

/// The living descendants of `ancestor` in a process table, those below `except` left out.
pub fn descendants_of(ancestor: i32, except: &[i32], table: &[Process]) -> Vec<Process> {
    let mut family = BTreeSet::from([ancestor]);
    let mut found = Vec::new();
    let mut rest: Vec<&Process> = table
        .iter()
        .filter(|process| !except.contains(&process.pid))
        .collect();
    loop {
        let before = family.len();
        rest.retain(|process| {
            let related = family.contains(&process.ppid);
            if related {
                family.insert(process.pid);
                if !process.is_dead() {
                    found.push(**process);
                }
            }
            !related
        });
        if family.len() == before {
            return found;
        }
    }
}

/// The process table of this machine.
#[cfg(target_os = "linux")]
pub fn process_table() -> io::Result<Vec<Process>> {
    let mut table = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        if name.as_bytes()[0].is_ascii_digit() {
            // One that cannot be read has just died.
            if let Ok(line) = std::fs::read(format!("/proc/{name}/stat")) {
                table.extend(parse_stat(&String::from_utf8_lossy(&line)));
            }
        }
    }
    if table.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(table)
}

/// There is no process table to read elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn process_table() -> io::Result<Vec<Process>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left that can be killed.
    Gone,
    /// Some were killed and have to be waited for; call again.
    Waiting,
}

/// Rounds of stopping before killing all the same: a descendant that cannot be stopped (it is
/// traced, say) must not keep the others alive.
const MAX_STOP_ROUNDS: u32 = 20;

/// The killing of all that a program left behind.
#[derive(Debug)]
pub struct Sweep {
    ancestor: i32,
    group: i32,
    strangers: Vec<i32>,
    stopped: BTreeSet<(i32, u64)>,
    killed: BTreeSet<(i32, u64)>,
    refused: BTreeSet<(i32, u64)>,
}

impl Sweep {
    /// For the descendants of `ancestor` (this process), of which `group` is the program's process
    /// group and `strangers` are children that it had before it started anything.
    pub fn new(ancestor: i32, group: i32, strangers: Vec<i32>) -> Self {
        Self {
            ancestor,
            group,
            strangers,
            stopped: BTreeSet::new(),
            killed: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Processes killed so far.
    pub fn killed(&self) -> usize {
        self.killed.len()
    }

    /// Processes that are alive because this process may not kill them.
    pub fn survivors(&self) -> Vec<i32> {
        self.refused.iter().map(|(pid, _)| *pid).collect()
    }

    /// One step. Dead children have to be collected between two of them.
    pub fn step(&mut self) -> Progress {
        if !sys::has_children() {
            self.refused.clear();
            return Progress::Gone;
        }
        match self.stop_all() {
            Ok(alive) => self.kill_all(&alive),
            Err(_) => self.kill_group(),
        }
    }

    /// Stops descendants until no new ones appear, so that nothing forks while it is killed.
    fn stop_all(&mut self) -> io::Result<Vec<Process>> {
        for _ in 0..MAX_STOP_ROUNDS {
            let table = process_table()?;
            let alive = descendants_of(self.ancestor, &self.strangers, &table);
            let mut settled = true;
            for process in &alive {
                let name = (process.pid, process.started);
                let given_up = self.killed.contains(&name) || self.refused.contains(&name);
                // More than once, if one that was not stopped yet woke it again.
                if self.stopped.insert(name) || !(process.is_still() || given_up) {
                    // A refusal shows when it is to be killed.
                    let _ = sys::kill(process.pid, libc::SIGSTOP);
                    settled = false;
                }
            }
            if settled {
                return Ok(alive);
            }
        }
        let table = process_table()?;
        Ok(descendants_of(self.ancestor, &self.strangers, &table))
    }

    fn kill_all(&mut self, alive: &[Process]) -> Progress {
        self.refused.clear();
        for process in alive {
            let name = (process.pid, process.started);
            match sys::kill(process.pid, libc::SIGKILL) {
                Ok(()) => drop(self.killed.insert(name)),
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                    self.refused.insert(name);
                }
                Err(_) => {}
            }
        }
        // With nobody alive, dead ones may still be on their way to this process. Strangers among its
        // children would make that wait endless, and there it does without.
        let dead_to_come = alive.is_empty() && self.strangers.is_empty();
        if self.refused.len() == alive.len() && !dead_to_come {
            Progress::Gone
        } else {
            Progress::Waiting
        }
    }

    /// Where the process table cannot be read, the process group is all that can be reached.
    fn kill_group(&mut self) -> Progress {
        match sys::kill(-self.group, libc::SIGKILL) {
            Ok(()) => Progress::Waiting,
            Err(_) => Progress::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process {
            pid,
            ppid: parent,
            state: b'S',
            threads: 1,
            started: 1,
        }
    }

    fn pids(found: &[Process]) -> Vec<i32> {
        let mut pids: Vec<i32> = found.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn a_name_may_contain_anything() {
        let numbers = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 12345 19 20";
        for name in ["sh", "a b", "a) S 1 (b", ") R 9 9", "(x"] {
            let parsed = parse_stat(&format!("42 ({name}) T 7 {numbers}")).unwrap();
            let expected = Process {
                pid: 42,
                ppid: 7,
                state: b'T',
                threads: 16,
                started: 12_345,
            };
            assert_eq!(parsed, expected, "{name}");
        }
        assert_eq!(parse_stat(""), None);
        assert_eq!(parse_stat("1 (x) S"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_in_the_table() {
        let me = nix::unistd::getpid().as_raw();
        let table = process_table().unwrap();
        let found = table.iter().find(|process| process.pid == me).unwrap();
        assert_eq!(found.ppid, nix::unistd::getppid().as_raw());
    }

    #[test]
    fn grandchildren_count_in_any_order_and_the_dead_only_as_parents() {
        let mut dead = process(3, 2);
        dead.state = b'Z';
        let table = [process(4, 3), dead, process(2, 1), process(9, 8)];
        assert_eq!(pids(&descendants_of(1, &[], &table)), [2, 4]);
    }

    #[test]
    fn one_without_its_first_thread_is_alive() {
        let mut headless = process(2, 1);
        headless.state = b'Z';
        headless.threads = 2;
        assert_eq!(pids(&descendants_of(1, &[], &[headless])), [2]);
    }

    #[test]
    fn strangers_and_theirs_are_left_alone() {
        let table = [process(2, 1), process(3, 2), process(4, 1)];
        assert_eq!(pids(&descendants_of(1, &[2], &table)), [4]);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".{0,80}") {
            let _ = parse_stat(&line);
        }

        #[test]
        fn no_table_makes_it_hang(parents in proptest::collection::vec(0i32..30, 0..30)) {
            let table: Vec<Process> =
                (1..).zip(&parents).map(|(pid, &ppid)| process(pid, ppid)).collect();
            let found = descendants_of(1, &[], &table);
            prop_assert!(found.len() <= table.len());
        }
    }
}
