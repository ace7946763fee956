// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Programs that are started in real groups.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::cgroup_entries;
use crate::cgroup::{self, Cgroup, Host, Request};
use crate::error::Failure;
use crate::process::attributes::Attributes;
use crate::process::credentials::Credentials;
use crate::process::program::Program;
use crate::process::spawn::spawn;
use crate::process::stdio::Stdio;
use crate::wait::{Undisturbed, Wait};

fn create(settings: &[(&str, &str)]) -> Cgroup {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let settings = settings.iter();
    let request = Request {
        group: format!("muontrap-test-start-{}-{count}", std::process::id()),
        controllers: vec![],
        settings: settings
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let plan = cgroup::Plan::new(&Host::detect().unwrap(), &request).unwrap();
    Cgroup::create(&plan, &Undisturbed).unwrap()
}

fn start(cgroup: &Cgroup, words: &[&CStr], wait: &dyn Wait) -> Result<i32, Failure> {
    let argv: Vec<CString> = words.iter().map(|&word| word.to_owned()).collect();
    let program = Program {
        path: words[0],
        argv: &argv,
        environment: None,
        pid_variable: None,
        stdio: [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit],
        credentials: &Credentials::default(),
        attributes: &Attributes::default(),
        cgroups: cgroup_entries(cgroup),
        terminal: None,
        pty: None,
        cpu_limit: None,
        announcement: None,
    };
    spawn(&program, wait).map(|started| started.pid)
}

fn end_of(pid: i32) -> WaitStatus {
    waitpid(Pid::from_raw(pid), None).unwrap()
}

/// The process is in every directory of the group.
fn assert_is_in(cgroup: &Cgroup, pid: i32) {
    for (_, directory) in cgroup.directories() {
        let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap();
        assert_eq!(members.trim(), pid.to_string(), "{}", directory.display());
    }
}

/// The processes in the first directory of the group.
fn members(cgroup: &Cgroup) -> Vec<Pid> {
    let (_, directory) = &cgroup.directories()[0];
    let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap();
    let pids = members
        .lines()
        .map(|pid| Pid::from_raw(pid.parse().unwrap()));
    pids.collect()
}

/// The file that freezes the group, and what freezes and thaws it.
fn freezer(cgroup: &Cgroup) -> (PathBuf, &'static str, &'static str) {
    let directories = cgroup.directories().into_iter();
    let mut files = directories.flat_map(|(_, directory)| {
        let v2 = (directory.join("cgroup.freeze"), "1", "0");
        let v1 = (directory.join("freezer.state"), "FROZEN", "THAWED");
        [v2, v1]
    });
    files.find(|(file, ..)| file.exists()).unwrap()
}

fn in_each_kind_of_group(act: impl Fn(&Cgroup)) {
    for settings in [&[][..], &[("pids.max", "20")][..]] {
        let cgroup = create(settings);
        act(&cgroup);
        cgroup.discard();
    }
}

#[test]
#[ignore = "needs cgroups"]
fn it_is_in_the_group_from_the_start() {
    in_each_kind_of_group(|cgroup| {
        let pid = start(cgroup, &[c"/bin/sleep", c"1000"], &Undisturbed).unwrap();
        assert_is_in(cgroup, pid);
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        end_of(pid);
    });
}

#[test]
#[ignore = "needs cgroups"]
fn a_failure_is_that_of_its_own_step() {
    in_each_kind_of_group(|cgroup| {
        let failure = start(cgroup, &[c"/dev/null"], &Undisturbed).unwrap_err();
        assert_eq!(failure.step.name(), "exec");
    });
}

/// Thaws the group when it is first waited for, or else cancels the start.
#[derive(Debug)]
struct WhileFrozen<'a> {
    cgroup: &'a Cgroup,
    thaws: bool,
    count: Cell<usize>,
}

impl<'a> WhileFrozen<'a> {
    fn new(cgroup: &'a Cgroup, thaws: bool) -> Self {
        let (file, frozen, _) = freezer(cgroup);
        fs::write(file, frozen).unwrap();
        let count = Cell::default();
        Self {
            cgroup,
            thaws,
            count,
        }
    }

    fn thaw(&self) {
        let (file, _, thawed) = freezer(self.cgroup);
        fs::write(file, thawed).unwrap();
    }
}

impl Wait for WhileFrozen<'_> {
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool> {
        self.count.set(self.count.get() + 1);
        if !self.thaws {
            return Err(io::Error::from_raw_os_error(libc::ECANCELED));
        }
        self.thaw();
        Undisturbed.readable(fd, time)
    }
}

#[test]
#[ignore = "needs cgroups"]
fn one_that_is_frozen_before_its_exec_does_not_hold_the_session() {
    in_each_kind_of_group(|cgroup| {
        let wait = WhileFrozen::new(cgroup, false);
        let failure = start(cgroup, &[c"/bin/true"], &wait).unwrap_err();
        assert_eq!(failure.errno, libc::ECANCELED);
        assert_eq!(wait.count.get(), 1);
        wait.thaw();
    });
}

#[test]
#[ignore = "needs cgroups"]
fn one_that_is_frozen_before_its_exec_goes_on_when_it_is_thawed() {
    in_each_kind_of_group(|cgroup| {
        let wait = WhileFrozen::new(cgroup, true);
        let pid = start(cgroup, &[c"/bin/true"], &wait).unwrap();
        assert!(wait.count.get() > 0);
        assert_eq!(end_of(pid), WaitStatus::Exited(Pid::from_raw(pid), 0));
    });
}

/// Kills the program's process when it is first waited for, and thaws the group.
#[derive(Debug)]
struct Killing<'a>(WhileFrozen<'a>);

impl Wait for Killing<'_> {
    fn readable(&self, fd: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool> {
        if self.0.count.get() == 0 {
            for pid in members(self.0.cgroup) {
                kill(pid, Signal::SIGKILL).unwrap();
            }
        }
        self.0.readable(fd, time)
    }
}

#[test]
#[ignore = "needs cgroups and cgroup v2"]
fn one_that_is_killed_before_its_exec_is_started_again() {
    let cgroup = create(&[]);
    let wait = Killing(WhileFrozen::new(&cgroup, true));
    let pid = start(&cgroup, &[c"/bin/true"], &wait).unwrap();
    assert!(wait.0.count.get() > 0);
    assert_eq!(end_of(pid), WaitStatus::Exited(Pid::from_raw(pid), 0));
    cgroup.discard();
}

/// Linux 6.18 kills whatever is created in such a group.
#[test]
#[ignore = "needs cgroups and cgroup v2"]
fn a_group_that_was_killed_can_be_used() {
    let cgroup = create(&[]);
    for (_, directory) in cgroup.directories() {
        fs::write(directory.join("cgroup.kill"), "1").unwrap();
    }
    let pid = start(&cgroup, &[c"/bin/sleep", c"1000"], &Undisturbed).unwrap();
    assert_is_in(&cgroup, pid);
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    let end = WaitStatus::Signaled(Pid::from_raw(pid), Signal::SIGTERM, false);
    assert_eq!(end_of(pid), end);
    cgroup.discard();
}
