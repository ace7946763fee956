// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A group that is held open: its files, and the way into it.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use crate::cgroup::dialect::{Freezer, Interface};
use crate::cgroup::error::{Attempt, Error};
use crate::cgroup::fs::{is_gone, open_at, open_dir, read_at, write_at};
use crate::cgroup::location::Location;
use crate::cgroup::poll::poll_until;
use crate::wait::Wait;

/// How long to wait for another muontrap to release the group, or for a frozen group to be thawed.
pub(in crate::cgroup) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A directory of a cgroup, held open.
#[derive(Debug)]
pub(in crate::cgroup) struct Group {
    pub location: Location,
    /// Whether it existed before.
    pub existed: bool,
    dir: OwnedFd,
    /// The groups above it, whose locks these hold.
    pub(super) locks_above: Vec<OwnedFd>,
    /// `cgroup.procs`, by which the program enters.
    procs: Option<OwnedFd>,
    pub(super) is_removed: bool,
}

impl Group {
    /// Opens a directory that exists.
    pub fn open(location: Location, existed: bool) -> Result<Self, Error> {
        let path = &location.path;
        let dir = open_dir(path).map_err(|error| Error::io(Attempt::Open, path, &error))?;
        Ok(Self {
            location,
            existed,
            dir,
            locks_above: vec![],
            procs: None,
            is_removed: false,
        })
    }

    /// Opens a directory if it exists.
    pub fn find(location: Location) -> Result<Option<Self>, Error> {
        match fs::symlink_metadata(&location.path) {
            Err(error) if is_gone(&error) => Ok(None),
            _ => Self::open(location, true).map(Some),
        }
    }

    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    pub fn interface(&self) -> &'static Interface {
        self.location.hierarchy.interface()
    }

    /// How to freeze it; `None` when it cannot be frozen.
    pub fn freezer(&self) -> Option<&'static Freezer> {
        self.location.hierarchy.freezer()
    }

    pub fn read(&self, file: &str) -> io::Result<String> {
        read_at(self.dir(), file)
    }

    pub fn write(&self, file: &str, value: &str) -> io::Result<()> {
        write_at(self.dir(), file, value)
    }

    /// Opens `cgroup.procs` for writing. After that, nothing but the program's own move can fail.
    pub fn open_entry(&mut self) -> Result<(), Error> {
        if self.procs.is_some() {
            return Ok(());
        }
        let procs = open_at(&self.dir, "cgroup.procs", OFlag::O_WRONLY).map_err(|error| {
            let path = self.location.path.join("cgroup.procs");
            Error::io(Attempt::Open, &path, &error)
        });
        self.procs = Some(procs?);
        Ok(())
    }

    /// The way into it, once it was opened.
    pub fn entry(&self) -> Option<Entry<'_>> {
        let procs = self.procs.as_ref()?.as_fd();
        let directory = self.interface().is_unified.then(|| self.dir());
        Some(Entry {
            procs,
            directory,
            group: self,
        })
    }
}

/// The way into a group.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// `cgroup.procs`, open for writing, close-on-exec.
    pub procs: BorrowedFd<'a>,
    /// v2: the group's directory.
    pub directory: Option<BorrowedFd<'a>>,
    group: &'a Group,
}

impl Entry<'_> {
    /// Waits while a group above is frozen, which would stop a process before its exec.
    pub fn await_thaw(&self, wait: &dyn Wait) -> Result<(), Error> {
        let deadline = Instant::now() + BUSY_TIMEOUT;
        let thawed = poll_until(deadline, wait, || match self.group.refuse_frozen() {
            Err(frozen) => ControlFlow::Continue(frozen),
            Ok(()) => ControlFlow::Break(()),
        });
        let path = &self.group.location.path;
        match thawed.map_err(|error| Error::io(Attempt::WaitFor, path, &error))? {
            ControlFlow::Break(()) => Ok(()),
            ControlFlow::Continue(frozen) => Err(frozen),
        }
    }

    /// Why a process could not enter, when writing to `procs` gave this errno.
    pub fn error(&self, errno: i32) -> Error {
        Error::NoEntry {
            group: self.group.location.path.clone(),
            unwritable: None,
            errno,
        }
    }
}
