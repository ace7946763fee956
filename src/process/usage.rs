// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What running programs use: CPU time and memory of each program and its descendants.

use super::proc_table::{Entry, Process, live};
use crate::error::Failure;
use crate::sys;
use std::collections::BTreeMap;
use std::io;

const MICROSECONDS: u64 = 1_000_000;

/// The sum over the descendants of a session, which are the program and all that it has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    cpu_us: u64,
    memory_bytes: u64,
    processes: u64,
}

/// What `/proc/<pid>/stat` says of one process, in clock ticks and pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counters {
    /// Of the process and the children that it has waited for.
    cpu_ticks: u64,
    resident_pages: u64,
}

/// Returns the values of ANSWER for sessions with these pids. One that is gone has none.
pub(crate) fn reply(sessions: &[i32]) -> Result<Vec<(String, String)>, Failure> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    values(sessions).map_err(|error| Failure::cannot("list processes", &error))
}

fn values(sessions: &[i32]) -> io::Result<Vec<(String, String)>> {
    let processes = live()?;
    let children = by_parent(&processes);
    let mut values = Vec::new();
    for &session in sessions {
        if processes.iter().any(|process| process.pid == session) {
            let usage = sum(session, &children)?;
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

fn sum(session: i32, children: &BTreeMap<i32, Vec<i32>>) -> io::Result<Usage> {
    let mut usage = Usage::default();
    let mut ticks = 0_u64;
    let mut pages = 0_u64;
    let below = |pid| children.get(&pid).into_iter().flatten().copied();
    let mut queue: Vec<i32> = below(session).collect();
    while let Some(pid) = queue.pop() {
        // It may be gone since.
        if let Some(counters) = read(pid) {
            ticks = ticks.saturating_add(counters.cpu_ticks);
            pages = pages.saturating_add(counters.resident_pages);
            usage.processes += 1;
        }
        queue.extend(below(pid));
    }
    usage.cpu_us = ticks.saturating_mul(MICROSECONDS) / sys::ticks_per_second()?;
    usage.memory_bytes = pages.saturating_mul(sys::page_bytes()?);
    Ok(usage)
}

fn read(pid: i32) -> Option<Counters> {
    parse(&Entry::open(pid).ok()?.stat_line().ok()?)
}

/// Reads a line of `/proc/<pid>/stat`: `proc_pid_stat(5)`.
fn parse(line: &str) -> Option<Counters> {
    // The name is in parentheses and may contain some. The first field behind it is the third.
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    let unsigned = |field| number(field).map(|value| u64::try_from(value).unwrap_or(0));
    // User and system time, and those of the children that were waited for.
    let cpu_ticks = (14..=17).map(unsigned).sum::<Option<u64>>()?;
    Some(Counters {
        cpu_ticks,
        resident_pages: unsigned(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_pages_are_read_behind_the_name() {
        let line =
            "7 (a) b) S 1 7 7 0 -1 4194304 100 200 0 0 11 22 33 44 20 0 1 0 555 1000000 77 9";
        let expected = Counters {
            cpu_ticks: 110,
            resident_pages: 77,
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("7 (a) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn descendants_are_counted_and_the_session_is_not() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let gone = i32::MAX;
        let values: BTreeMap<_, _> = reply(&[own, gone]).unwrap().into_iter().collect();
        child.kill().unwrap();
        child.wait().unwrap();
        let number = |name: &str| values[&format!("{own}.{name}")].parse::<u64>().unwrap();
        assert!(number("processes") >= 1 && number("memory_bytes") >= 4096);
        assert_eq!(values.len(), 3);
    }
}
