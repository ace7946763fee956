// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Starting the program: fork, the child's steps, exec, and the report of how that went.

mod in_child;

use super::explain::explain;
use super::program::Program;
use super::step::{ChildStep, steps, steps_in_cgroup};
use crate::error::Failure;
use crate::sys::{self, Process, SignalMask};
use crate::wait::Wait;
use in_child::{ChildError, Created, Creation};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Polling interval for the exec, which may take any time, for example on a network file system.
const EXEC_INTERVAL: Duration = Duration::from_secs(60);
/// How long to wait for the death of a child that was killed.
const DEATH_TIMEOUT: Duration = Duration::from_secs(1);
/// Polling interval for it.
const DEATH_INTERVAL: Duration = Duration::from_millis(1);

/// Opens `/dev/null` for reading and writing.
pub fn dev_null() -> io::Result<OwnedFd> {
    let file = File::options().read(true).write(true).open("/dev/null")?;
    Ok(file.into())
}

/// A program that was started.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    pub pid: i32,
    /// [`Process::started`], or 0 if that is unknown.
    pub start_time: u64,
    is_before_exec: bool,
}

impl Started {
    /// A program that was started after the tick `before`, or in it.
    fn after(before: Option<u64>, pid: i32) -> Self {
        // This takes a tenth of the time that it takes to read it.
        match before.filter(|_| before == sys::start_time_now()) {
            Some(start_time) => Self {
                pid,
                start_time,
                is_before_exec: false,
            },
            None => Self::find(pid),
        }
    }

    fn find(pid: i32) -> Self {
        let process = Process::find(pid);
        Self {
            pid,
            start_time: process.as_ref().map_or(0, |process| process.started),
            is_before_exec: process.is_ok_and(|process| process.is_before_exec),
        }
    }
}

/// Starts the program, and returns once it was exec'ed. On failure nothing is left.
pub fn spawn(program: &Program<'_>, wait: &dyn Wait) -> Result<Started, Failure> {
    if let Some(started) = spawn_in_cgroup(program, wait)? {
        return Ok(started);
    }
    let steps = steps(program);
    // fork(2) spends most of its time on copying the page tables.
    let shares_memory = sys::SHARES_MEMORY && steps.iter().all(ChildStep::may_share_memory);
    let creation = if shares_memory {
        Creation::SharingMemory
    } else {
        Creation::Fork
    };
    let before = sys::start_time_now();
    let child = start(&steps, creation).map_err(|error| failed(program, &error))?;
    // A child that shares memory has exec'ed or failed already.
    let wait = (!shares_memory).then_some(wait);
    let pid = finish(program, &steps, child, wait)?;
    Ok(Started::after(before, pid))
}

/// Starts the program in a child that is created in its cgroup v2. One that is moved there waits until each CPU has
/// switched tasks (`cgroup_threadgroup_rwsem` of the kernel), which takes some milliseconds unless another was moved just
/// before.
///
/// `None` if there is no such cgroup, no such child can be created, or it has died before its exec: a child that is moved
/// may still start, and if the group refuses it, the move explains why. Linux 6.18 kills a child that is created in a
/// group if that or the group of this process was ever killed by `cgroup.kill`.
fn spawn_in_cgroup(program: &Program<'_>, wait: &dyn Wait) -> Result<Option<Started>, Failure> {
    let mut entries = program.cgroups.iter();
    let Some((entry, directory)) = entries.find_map(|entry| Some((entry, entry.directory?))) else {
        return Ok(None);
    };
    let steps = steps_in_cgroup(program);
    let shares_memory = entry.may_share_memory && steps.iter().all(ChildStep::may_share_memory);
    let before = sys::start_time_now();
    let shared = shares_memory.then(|| start(&steps, Creation::SharingMemoryIn(directory)));
    // An error may be that the child took too long.
    let (child, wait) = if let Some(Ok(child)) = shared {
        (child, None)
    } else {
        (entry.await_thaw)(wait)?;
        match start(&steps, Creation::ForkInto(directory)) {
            Ok(child) => (child, Some(wait)),
            Err(_) => return Ok(None),
        }
    };
    let came_to_exec = child.came_to_exec;
    let pid = finish(program, &steps, child, wait)?;
    let started = match came_to_exec {
        Some(_) => Started::after(before, pid),
        None => Started::find(pid),
    };
    if started.is_before_exec || came_to_exec == Some(false) {
        // It is about to exit, so this does not block for long.
        let _ = waitpid(Pid::from_raw(pid), None);
        return Ok(None);
    }
    Ok(Some(started))
}

/// Waits until the child has executed the program or failed. Returns its pid.
fn finish(
    program: &Program<'_>,
    steps: &[ChildStep<'_>],
    Created { pid, report, .. }: Created,
    wait: Option<&dyn Wait>,
) -> Result<i32, Failure> {
    match await_exec(report, wait) {
        Ok(None) => Ok(pid),
        Ok(Some(ChildError { step, errno })) => {
            // It is about to exit, so this does not block for long.
            let _ = waitpid(Pid::from_raw(pid), None);
            let unknown = || failed(program, &io::Error::from_raw_os_error(errno));
            let step = steps.get(usize::from(step));
            Err(step.map_or_else(unknown, |step| explain(step, program, errno)))
        }
        Err(error) => {
            let _ = sys::kill(pid, libc::SIGKILL);
            await_death(pid);
            Err(failed(program, &error))
        }
    }
}

fn failed(program: &Program<'_>, error: &io::Error) -> Failure {
    let path = OsStr::from_bytes(program.path.to_bytes());
    Failure::cannot("create a process", error).path(path)
}

/// Starts the child with all signals blocked, so that none of this process's handlers runs in the child, where it
/// would write into the pipe that both share.
fn start(steps: &[ChildStep<'_>], creation: Creation<'_>) -> io::Result<Created> {
    let previous = SignalMask::all_but([]).set()?;
    let started = in_child::start(steps, creation);
    previous.set()?;
    started
}

/// Waits until the child has exec'ed or failed, and returns why it failed.
///
/// It reports through a pipe, which the exec closes, and not through memory: qemu's user mode makes a copy of the
/// memory that was to be shared, and does not wait.
fn await_exec(report: OwnedFd, wait: Option<&dyn Wait>) -> io::Result<Option<ChildError>> {
    if let Some(wait) = wait {
        while !wait.readable(Some(report.as_fd()), EXEC_INTERVAL)? {}
    }
    let mut bytes = [0; ChildError::SIZE];
    let failed = File::from(report).read_exact(&mut bytes).is_ok();
    Ok(failed.then(|| ChildError::from_bytes(bytes)))
}

/// Waits for the death of a child that was killed. One in a frozen cgroup dies later, still without an exec.
fn await_death(pid: i32) {
    let deadline = Instant::now() + DEATH_TIMEOUT;
    let flags = Some(WaitPidFlag::WNOHANG);
    while waitpid(Pid::from_raw(pid), flags) == Ok(WaitStatus::StillAlive)
        && Instant::now() < deadline
    {
        std::thread::sleep(DEATH_INTERVAL);
    }
}
