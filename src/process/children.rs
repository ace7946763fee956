// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Finding the children of this process, and theirs.
//!
//! A program may lower the limits of the processes of its user (prlimit(2)) so that this process can open nothing
//! more. So the files are opened before the program starts; reading them again needs no new descriptor.

use super::proc_table::{Entry, Process, parse_children, read_all};
use crate::sys;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;

/// Lists the children of the thread that opens it: `proc_tid_children(5)`. This process has only one thread.
const OWN_CHILDREN: &str = "/proc/thread-self/children";

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
    /// [`OWN_CHILDREN`]. Kernels without `CONFIG_PROC_CHILDREN` do not have it.
    file: Option<File>,
    /// `/proc`, without that file.
    proc: Option<File>,
    /// The next pid to probe.
    next_probe: i32,
    /// Children that were found by probing.
    probed: BTreeSet<i32>,
}

impl Children {
    /// Opens the files that this host has.
    pub fn open() -> Self {
        let usable = is_of_this_namespace();
        let file = File::open(OWN_CHILDREN).ok().filter(|_| usable);
        let proc = file.is_none() && usable;
        Self {
            file,
            proc: proc.then(open_proc).and_then(Result::ok),
            next_probe: 1,
            probed: BTreeSet::new(),
        }
    }

    /// Continues probing at this pid. Pids are assigned in ascending order, so later ones are near it.
    pub fn probe_from(&mut self, pid: i32) {
        self.next_probe = pid;
    }

    /// Lists the children of this process.
    ///
    /// No child that exists at the beginning is missed, if none is reaped meanwhile: the kernel appends new ones.
    pub fn list(&mut self) -> Listing {
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

    fn listed(&self) -> io::Result<Vec<i32>> {
        match (&self.file, &self.proc) {
            (Some(file), _) => read_all(file).map(|list| parse_children(&list)),
            (None, Some(proc)) => children_among(proc),
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
    pub fn of_others(&self) -> ChildTable {
        if self.file.is_some() {
            ChildTable::Files
        } else {
            ChildTable::Scan(table_by_parent(self.proc.as_ref()).unwrap_or_default())
        }
    }
}

/// Where to find the children of other processes.
#[derive(Debug)]
pub enum ChildTable {
    /// In `/proc/<pid>/task/<tid>/children`.
    Files,
    /// In one scan of `/proc`, by parent.
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

/// Whether `/proc` is that of this process's pid namespace. That stays so, also in forks of this process.
pub fn is_of_this_namespace() -> bool {
    static IS_OF_THIS_NAMESPACE: OnceLock<bool> = OnceLock::new();
    *IS_OF_THIS_NAMESPACE.get_or_init(|| {
        let me = std::fs::read_link("/proc/self");
        me.is_ok_and(|me| me.to_str() == Some(&nix::unistd::getpid().to_string()))
    })
}

fn open_proc() -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_DIRECTORY);
    options.open("/proc")
}

fn children_among_all() -> io::Result<Vec<i32>> {
    if !is_of_this_namespace() {
        return Err(io::ErrorKind::NotFound.into());
    }
    children_among(&open_proc()?)
}

fn children_among(proc: &File) -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for pid in sys::numbers_in(proc.as_fd())? {
        if sys::is_child(pid)? {
            children.push(pid);
        }
    }
    Ok(children)
}

fn table_by_parent(proc: Option<&File>) -> io::Result<BTreeMap<i32, Vec<i32>>> {
    let opened = proc.is_none().then(open_proc).transpose()?;
    let Some(proc) = proc.or(opened.as_ref()) else {
        return Ok(BTreeMap::new());
    };
    let mut table = BTreeMap::<i32, Vec<i32>>::new();
    for pid in sys::numbers_in(proc.as_fd())? {
        // One that cannot be read has ended, or is hidden until it becomes a child of this process.
        if let Ok(process) = Process::find(pid) {
            table.entry(process.ppid).or_default().push(pid);
        }
    }
    Ok(table)
}
