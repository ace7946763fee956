// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Starting the program: fork, the child's steps, exec, and the report of how that went.

mod in_child;

use super::explain::explain;
use super::program::Program;
use super::step::{ChildStep, steps};
use crate::error::Failure;
use crate::sys::{self, SignalMask};
use crate::wait::Wait;
use in_child::ChildError;
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

/// Starts the program and returns its pid once it was exec'ed. On failure nothing is left.
pub fn spawn(program: &Program<'_>, wait: &dyn Wait) -> Result<i32, Failure> {
    let steps = steps(program);
    let failed = |error: io::Error| {
        Failure::cannot("create a process", &error).path(OsStr::from_bytes(program.path.to_bytes()))
    };
    // fork(2) spends most of its time on copying the page tables.
    let shares_memory = sys::SHARES_MEMORY && steps.iter().all(ChildStep::may_share_memory);
    let (pid, report) = start(&steps, shares_memory).map_err(failed)?;
    // A child that shares memory has exec'ed or failed already.
    let wait = (!shares_memory).then_some(wait);
    match await_exec(report, wait) {
        Ok(None) => Ok(pid),
        Ok(Some(ChildError { step, errno })) => {
            // It is about to exit, so this does not block for long.
            let _ = waitpid(Pid::from_raw(pid), None);
            let unknown = || failed(io::Error::from_raw_os_error(errno));
            let step = steps.get(usize::from(step));
            Err(step.map_or_else(unknown, |step| explain(step, program, errno)))
        }
        Err(error) => {
            let _ = sys::kill(pid, libc::SIGKILL);
            await_death(pid);
            Err(failed(error))
        }
    }
}

/// Starts the child with all signals blocked, so that none of this process's handlers runs in the child, where it
/// would write into the pipe that both share.
fn start(steps: &[ChildStep<'_>], shares_memory: bool) -> io::Result<(i32, OwnedFd)> {
    let previous = SignalMask::all_but([]).set()?;
    let started = in_child::start(steps, shares_memory);
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
