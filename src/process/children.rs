// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The children of this process.
//!
//! A program can lower the limits of its own user's processes (prlimit(2)), so that this one can open
//! nothing more. So what is needed is opened before the program starts, and reading it again takes no
//! descriptor.

use super::proc_table::{Entry, parse_children, parse_stat, read_all};
use crate::sys;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

/// The file that lists the children of the thread that opens it: `proc_tid_children(5)`. This process has
/// only one thread.
const OWN_CHILDREN: &str = "/proc/thread-self/children";

/// No pid is larger: `PID_MAX_LIMIT` of Linux.
const LAST_PID: i32 = 4_194_304;

/// How many pids are tried at a time, when nothing but trying is left.
const TRIES: i32 = 16_384;

/// A look at the children of this process.
#[derive(Debug)]
pub struct Look {
    /// Children, dead ones too as long as they were not waited for.
    pub pids: Vec<i32>,
    /// Whether these are all.
    pub complete: bool,
}

/// Where this process finds its children, and theirs.
#[derive(Debug)]
pub struct Children {
    /// Of this process. Not there on a kernel without `CONFIG_PROC_CHILDREN`.
    file: Option<File>,
    /// `/proc`, where the other is not there.
    proc: Option<File>,
    /// The next pid to try.
    next_try: i32,
    /// The children that were found by trying pids.
    tried: BTreeSet<i32>,
}

impl Children {
    /// Opens what there is to open.
    pub fn open() -> Self {
        let usable = is_of_this_namespace();
        let file = File::open(OWN_CHILDREN).ok().filter(|_| usable);
        let proc = file.is_none() && usable;
        Self {
            file,
            proc: proc.then(open_proc).and_then(Result::ok),
            next_try: 1,
            tried: BTreeSet::new(),
        }
    }

    /// Begins trying pids at this one, which was assigned recently.
    pub fn expect_near(&mut self, pid: i32) {
        self.next_try = pid;
    }

    /// The children of this process. It lists each that was there when it began, as long as none is
    /// waited for meanwhile: a dead one stays a child, and new ones come behind the others.
    pub fn own(&mut self) -> Look {
        let listed = self.listed().or_else(|_| children_among_all());
        let pids = match listed {
            // An empty list with children left: `hidepid` hides them.
            Ok(pids) if !pids.is_empty() || !matches!(sys::has_children(), Ok(true)) => pids,
            _ => return self.tried(),
        };
        Look {
            pids,
            complete: true,
        }
    }

    fn listed(&self) -> io::Result<Vec<i32>> {
        match (&self.file, &self.proc) {
            (Some(file), _) => read_all(file).map(|list| parse_children(&list)),
            (None, Some(proc)) => children_among(proc),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Asks the kernel about some pids whether each is a child. After some calls, all were tried.
    fn tried(&mut self) -> Look {
        let is_child = |pid: &i32| sys::is_child(*pid).unwrap_or(false);
        self.tried.retain(is_child);
        let range = self.next_range();
        self.tried.extend(range.filter(is_child));
        Look {
            pids: self.tried.iter().copied().collect(),
            complete: false,
        }
    }

    fn next_range(&mut self) -> Range<i32> {
        let begin = self.next_try.clamp(1, LAST_PID);
        let end = begin.saturating_add(TRIES).min(LAST_PID);
        self.next_try = if end == LAST_PID { 1 } else { end };
        begin..end
    }

    /// How the children of other processes are found now.
    pub fn of_others(&self) -> OfOthers {
        if self.file.is_some() {
            OfOthers::Files
        } else {
            OfOthers::Table(table_by_parent(self.proc.as_ref()).unwrap_or_default())
        }
    }
}

/// The children of other processes.
#[derive(Debug)]
pub enum OfOthers {
    /// In a file of each.
    Files,
    /// All of this machine, by parent, as they were found in one go.
    Table(BTreeMap<i32, Vec<i32>>),
}

impl OfOthers {
    /// The children of one process.
    pub fn find(&self, entry: &Entry, pid: i32, threads: u32) -> io::Result<Vec<i32>> {
        match self {
            Self::Files => entry.children(threads),
            Self::Table(table) => Ok(table.get(&pid).cloned().unwrap_or_default()),
        }
    }
}

/// A `/proc` of another pid namespace speaks of other processes.
fn is_of_this_namespace() -> bool {
    let me = std::fs::read_link("/proc/self");
    me.is_ok_and(|me| me.to_str() == Some(&nix::unistd::getpid().to_string()))
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
        // One that cannot be read is gone, or hidden, and found when it is a child of this process.
        let line = File::open(format!("/proc/{pid}/stat")).and_then(|file| read_all(&file));
        if let Some(process) = line.ok().as_deref().and_then(parse_stat) {
            table.entry(process.ppid).or_default().push(pid);
        }
    }
    Ok(table)
}
