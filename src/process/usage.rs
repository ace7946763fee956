// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What running programs use: CPU time and memory of each program and its descendants.

use crate::error::Failure;
use crate::sys::{self, Process, live_processes};
use std::collections::BTreeMap;
use std::io;

/// The sum over the descendants of a session, which are the program and all that it has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    cpu_us: u64,
    memory_bytes: u64,
    processes: u64,
}

/// Returns the values of ANSWER for sessions with these pids. One that is gone has none.
pub(crate) fn reply(sessions: &[i32]) -> Result<Vec<(String, String)>, Failure> {
    values(sessions).map_err(|error| Failure::cannot("list processes", &error))
}

fn values(sessions: &[i32]) -> io::Result<Vec<(String, String)>> {
    let processes = live_processes()?;
    let children = by_parent(&processes);
    let mut values = Vec::new();
    for &session in sessions {
        if processes.iter().any(|process| process.pid == session) {
            let usage = sum(session, &children);
            let mut push = |name, value: u64| {
                values.push((format!("{session}.{name}"), value.to_string()));
            };
            push("cpu_us", usage.cpu_us);
            push("memory_bytes", usage.memory_bytes);
            push("processes", usage.processes);
        }
    }
    Ok(values)
}

fn by_parent(processes: &[Process]) -> BTreeMap<i32, Vec<i32>> {
    let mut children = BTreeMap::<i32, Vec<i32>>::new();
    for process in processes {
        children.entry(process.ppid).or_default().push(process.pid);
    }
    children
}

fn sum(session: i32, children: &BTreeMap<i32, Vec<i32>>) -> Usage {
    let mut usage = Usage::default();
    let below = |pid| children.get(&pid).into_iter().flatten().copied();
    let mut queue: Vec<i32> = below(session).collect();
    while let Some(pid) = queue.pop() {
        // It may be gone since.
        if let Ok(counters) = sys::read_counters(pid) {
            usage.cpu_us = usage.cpu_us.saturating_add(counters.cpu_us);
            usage.memory_bytes = usage.memory_bytes.saturating_add(counters.memory_bytes);
            usage.processes += 1;
        }
        queue.extend(below(pid));
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn descendants_are_counted_and_the_session_is_not() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let gone = i32::MAX;
        let deadline = Instant::now() + Duration::from_secs(60);
        // A process that is just being executed may have no memory yet.
        loop {
            let values: BTreeMap<_, _> = reply(&[own, gone]).unwrap().into_iter().collect();
            assert_eq!(values.len(), 3);
            let number = |name: &str| values[&format!("{own}.{name}")].parse::<u64>().unwrap();
            if number("processes") >= 1 && number("memory_bytes") >= 4096 {
                break;
            }
            assert!(Instant::now() < deadline, "{values:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
