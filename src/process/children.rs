// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Finding the children of this process, and theirs.
//!
//! A program may lower the limits of the processes of its user (prlimit(2)) so that this process can open nothing
//! more. So the directory of all processes is opened before the program starts; reading it again needs no new descriptor.
//!
//! The list of this process's children is opened when it is needed, which it seldom is: the kernel makes directories in
//! `/proc` for it, and removes them when this process is reaped.

use crate::sys::{self, Entry, OwnChildren, Process, ProcessList};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;

/// `PID_MAX_LIMIT` of Linux.
const LAST_PID: i32 = 4_194_304;

/// How many pids are probed at a time.
const PROBES: i32 = 16_384;

/// The children of this process at one time, zombies included.
#[derive(Debug)]
pub struct Listing {
    /// Their pids.
    pub pids: Vec<i32>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// Finds children.
#[derive(Debug)]
pub struct Children {
    /// Once it was needed, where the system has such a list.
    own: Option<OwnChildren>,
    /// Of all processes, where that list is missing or cannot be opened any more.
    all: Option<ProcessList>,
    /// The next pid to probe.
    next_probe: i32,
    /// Children that were found by probing.
    probed: BTreeSet<i32>,
}

impl Children {
    /// Opens what may be needed when nothing more can be opened.
    pub fn open() -> Self {
        let usable = sys::sees_own_processes();
        Self {
            own: None,
            all: usable.then(ProcessList::open).and_then(Result::ok),
            next_probe: 1,
            probed: BTreeSet::new(),
        }
    }

    /// Continues probing at this pid. Pids are assigned in ascending order, so later ones are near it.
    #[cfg_attr(any(target_os = "macos", feature = "portable"), allow(dead_code))]
    pub fn probe_from(&mut self, pid: i32) {
        self.next_probe = pid;
    }

    /// Lists the children of this process.
    ///
    /// No child that exists at the beginning is missed, if none is reaped meanwhile: the kernel appends new ones.
    pub fn list(&mut self) -> Listing {
        self.open_own();
        let listed = self.listed().or_else(|_| children_among_all());
        let pids = match listed {
            // An empty list although there are children: `hidepid` hides them.
            Ok(pids) if !pids.is_empty() || !matches!(sys::has_children(), Ok(true)) => pids,
            _ => return self.probe(),
        };
        Listing {
            pids,
            is_complete: true,
        }
    }

    fn open_own(&mut self) {
        if self.own.is_none() && sys::sees_own_processes() {
            self.own = OwnChildren::open().ok();
        }
    }

    fn listed(&self) -> io::Result<Vec<i32>> {
        match (&self.own, &self.all) {
            (Some(own), _) => own.pids(),
            (None, Some(all)) => children_among(all),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Asks the kernel of a range of pids, by waitid(2), whether they are children. Each call takes the next range.
    fn probe(&mut self) -> Listing {
        let is_child = |pid: &i32| sys::is_child(*pid).unwrap_or(false);
        self.probed.retain(is_child);
        let range = self.next_range();
        self.probed.extend(range.filter(is_child));
        Listing {
            pids: self.probed.iter().copied().collect(),
            is_complete: false,
        }
    }

    fn next_range(&mut self) -> Range<i32> {
        let begin = self.next_probe.clamp(1, LAST_PID);
        let end = begin.saturating_add(PROBES).min(LAST_PID);
        self.next_probe = if end == LAST_PID { 1 } else { end };
        begin..end
    }

    /// Prepares finding the children of other processes.
    pub fn of_others(&mut self) -> ChildTable {
        self.open_own();
        if self.own.is_some() {
            ChildTable::Files
        } else {
            ChildTable::Scan(table_by_parent(self.all.as_ref()).unwrap_or_default())
        }
    }
}

/// Where to find the children of other processes.
#[derive(Debug)]
pub enum ChildTable {
    /// In `/proc/<pid>/task/<tid>/children`.
    Files,
    /// In one scan of all processes, by parent.
    Scan(BTreeMap<i32, Vec<i32>>),
}

impl ChildTable {
    /// The children of process `pid`, whose directory is `entry`.
    pub fn find(&self, entry: &Entry, pid: i32, threads: u32) -> io::Result<Vec<i32>> {
        match self {
            Self::Files => entry.children(threads),
            Self::Scan(table) => Ok(table.get(&pid).cloned().unwrap_or_default()),
        }
    }
}

fn children_among_all() -> io::Result<Vec<i32>> {
    if !sys::sees_own_processes() {
        return Err(io::ErrorKind::NotFound.into());
    }
    children_among(&ProcessList::open()?)
}

fn children_among(all: &ProcessList) -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for pid in all.pids()? {
        if sys::is_child(pid)? {
            children.push(pid);
        }
    }
    Ok(children)
}

fn table_by_parent(all: Option<&ProcessList>) -> io::Result<BTreeMap<i32, Vec<i32>>> {
    let opened = all.is_none().then(ProcessList::open).transpose()?;
    let Some(all) = all.or(opened.as_ref()) else {
        return Ok(BTreeMap::new());
    };
    let mut table = BTreeMap::<i32, Vec<i32>>::new();
    for pid in all.pids()? {
        // One that cannot be read has ended, or is hidden until it becomes a child of this process.
        if let Ok(process) = Process::find(pid) {
            table.entry(process.ppid).or_default().push(pid);
        }
    }
    Ok(table)
}
