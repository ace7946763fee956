// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes by `/proc`, and those that belong to one test.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long to wait for a condition. Only a failing test waits this long.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Polling interval.
pub const PAUSE: Duration = Duration::from_millis(2);

/// Polls until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "it never happened: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// A process, identified by pid and start time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub pid: i32,
    pub ppid: i32,
    pub state: u8,
    pub threads: u32,
    pub started: u64,
    pub name: String,
}

impl Process {
    /// Reads `proc_pid_stat(5)`.
    pub fn find(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let (front, back) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = back.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            name: front.split_once('(')?.1.to_owned(),
            state: fields[0].as_bytes()[0],
            ppid: fields[1].parse().ok()?,
            threads: fields[17].parse().ok()?,
            started: fields[19].parse().ok()?,
        })
    }

    /// Neither gone nor a zombie. A process whose first thread has ended only looks like a zombie.
    pub fn is_alive(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| {
            let dead = matches!(now.state, b'Z' | b'X') && now.threads <= 1;
            now.started == self.started && !dead
        })
    }
}

pub fn is_alive(pid: i32) -> bool {
    Process::find(pid).is_some_and(|process| process.is_alive())
}

pub fn state(pid: i32) -> u8 {
    Process::find(pid).map_or(b'X', |process| process.state)
}

/// All pids of this machine.
pub fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A line of `/proc/<pid>/status`, without its name.
pub fn status_field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    field(&status, name)
}

/// The same of a status that was read before.
#[track_caller]
pub fn field(status: &str, name: &str) -> String {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
        .to_owned()
}

/// An environment variable with a unique value, which every process of a test inherits and is found by.
#[derive(Clone, Debug)]
pub struct Mark(Arc<Value>);

#[derive(Debug)]
struct Value {
    text: String,
    /// The pids of helpers, whose environment only root can read.
    helpers: Mutex<Vec<Process>>,
}

impl Mark {
    pub const VARIABLE: &str = "MUONTRAP_TEST_MARK";

    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Value {
            text: format!("{}-{count}", std::process::id()),
            helpers: Mutex::default(),
        }))
    }

    pub fn value(&self) -> &str {
        &self.0.text
    }

    /// Adds a helper that was started with this mark.
    pub fn add_helper(&self, pid: i32) {
        let mut helpers = self.0.helpers.lock().unwrap();
        helpers.extend(Process::find(pid));
    }

    /// The living processes with this mark.
    pub fn alive(&self) -> Vec<Process> {
        self.0.alive()
    }

    /// The same without those with these pids.
    pub fn alive_besides(&self, pids: &[i32]) -> Vec<Process> {
        let mut alive = self.alive();
        alive.retain(|process| !pids.contains(&process.pid));
        alive
    }

    /// Waits until this many processes have the mark.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        eventually(&format!("{count} processes"), || {
            self.alive().len() == count
        });
    }
}

impl Value {
    fn is_on(&self, pid: i32) -> bool {
        let wanted = format!("{}={}", Mark::VARIABLE, self.text);
        let has = |environment: Vec<u8>| {
            let mut variables = environment.split(|&byte| byte == 0);
            variables.any(|variable| variable == wanted.as_bytes())
        };
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        if !environment.is_empty() || Process::find(pid).is_none_or(|it| it.threads <= 1) {
            return has(environment);
        }
        // After the end of the first thread, only the other threads show the environment.
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        let mut threads = threads.into_iter().flatten().flatten();
        threads.any(|thread| has(fs::read(thread.path().join("environ")).unwrap_or_default()))
    }

    fn alive(&self) -> Vec<Process> {
        let helpers = self.helpers.lock().unwrap();
        let is_helper = |pid| helpers.iter().any(|helper| helper.pid == pid);
        let others = pids().filter(|&pid| !is_helper(pid) && self.is_on(pid));
        let own = helpers.iter().filter(|helper| helper.is_alive());
        let marked = others.chain(own.map(|helper| helper.pid));
        marked
            .filter_map(Process::find)
            .filter(Process::is_alive)
            .collect()
    }
}

/// Kills what is left of a test that failed.
impl Drop for Value {
    fn drop(&mut self) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let alive = self.alive();
            if alive.is_empty() || Instant::now() > deadline {
                return;
            }
            for process in alive {
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// In a script, an orphan in a session of its own. Without subreapers, one that has called setsid(2) may be lost, so that it
/// is in the group of the program there.
#[cfg(not(feature = "portable"))]
macro_rules! orphan {
    () => {
        "(setsid sleep 1000 >&- &)"
    };
}

#[cfg(feature = "portable")]
macro_rules! orphan {
    () => {
        "(sleep 1000 >&- &)"
    };
}

pub(crate) use orphan;
